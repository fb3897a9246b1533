"""A row and the one it is compared with, case by case."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nnunet_skipx.report.figures.panel import COLOURS, Panel, data_uri, kind_for, new_figure
from nnunet_skipx.statistics.contrasts import Contrast

BETTER, WORSE = COLOURS[0], COLOURS[5]
NORMAL_95 = 1.96


def slope_panels(case_means: pd.DataFrame, contrasts: Sequence[Contrast]) -> list[Panel]:
    """Per contrast: a line per case from its Dice in the one row to that in the other."""
    return [
        Panel(_title(c), _slopes(case_means[[c.against, c.row]].dropna()), f"A line per case: {_title(c)}")
        for c in contrasts
    ]


def _slopes(pairs: pd.DataFrame) -> str:
    figure, (axis,) = new_figure(3.2)
    for before, after in pairs.itertuples(index=False):
        axis.plot([0, 1], [before, after], color=BETTER if after >= before else WORSE, alpha=0.45, linewidth=0.9)
    axis.plot([0, 1], pairs.mean(), color="black", linewidth=2.5, marker="o", label="mean")
    axis.set(xlim=(-0.15, 1.15), xticks=[0, 1], ylabel="Dice per case")
    axis.set_xticklabels([str(name).replace(" (", "\n(") for name in pairs.columns], fontsize=8)
    axis.legend(frameon=False, fontsize=9)
    return data_uri(figure, kind_for(2 * len(pairs)))


def difference_panels(case_means: pd.DataFrame, contrasts: Sequence[Contrast]) -> list[Panel]:
    """Per contrast: each case's difference over its mean, after Bland and Altman (Lancet 1986)."""
    return [
        Panel(_title(c), _differences(case_means, c), f"Paired differences over the mean of the pair: {_title(c)}")
        for c in contrasts
    ]


def _differences(case_means: pd.DataFrame, contrast: Contrast) -> str:
    differences = (case_means[contrast.row] - case_means[contrast.against]).dropna()
    means = (case_means[contrast.row] + case_means[contrast.against])[differences.index] / 2
    interval = contrast.difference.interval
    figure, (axis,) = new_figure(2.8)
    axis.axhspan(interval.low, interval.high, color=COLOURS[1], alpha=0.4, linewidth=0, label="95 % CI of the mean")
    axis.axhline(interval.value, color=COLOURS[5], label="mean")
    axis.axhline(0, color="black", linewidth=0.8)
    for limit in interval.value + NORMAL_95 * np.array([-1, 1]) * interval.sd:
        axis.axhline(limit, color="#555555", linestyle="--", linewidth=0.8)
    axis.plot(means, differences, "o", color=COLOURS[0], markersize=3.5, alpha=0.7)
    axis.set(xlabel="mean Dice of the two", ylabel="difference in Dice")
    axis.legend(frameon=False, fontsize=9)
    return data_uri(figure, kind_for(len(differences)))


def _title(contrast: Contrast) -> str:
    return f"{contrast.row} minus {contrast.against}"
