"""Dice per case: how each row's cases are spread."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nnunet_skipx.report.figures.panel import COLOURS, Panel, data_uri, kind_for, new_figure
from nnunet_skipx.statistics.means import case_values, fold_means


def dice_panels(table: pd.DataFrame) -> list[Panel]:
    """Per class, and for the mean over classes: box and points per row over cases, diamonds for fold means."""
    dice = table[table["metric"] == "Dice"]
    rows = list(dice["row"].unique())
    lowest = dice["value"].min()
    left = max(0.0, 0.0 if np.isnan(lowest) else lowest - 0.03)
    panels = []
    for label in (None, *dice["label"].unique()):
        figure, (axis,) = new_figure(0.9 + 0.75 * len(rows))
        for number, row in enumerate(rows):
            values = case_values(dice, row, label)
            _draw_cases(axis, len(rows) - 1 - number, values, COLOURS[number % len(COLOURS)])
            axis.text(left, len(rows) - 0.66 - number, row, va="bottom", fontsize=9)
        axis.set(xlim=(left, 1.005), ylim=(-0.5, len(rows) - 0.3), yticks=[], xlabel="Dice per case")
        axis.spines["left"].set_visible(False)
        axis.grid(axis="x", alpha=0.3)
        title = label or "Mean over classes"
        src = data_uri(figure, kind_for(len(rows) * dice["case"].nunique()))
        panels.append(Panel(title, src, f"Box plot of the Dice per case of each row: {title}"))
    return panels


def _draw_cases(axis: Axes, height: float, values: pd.Series, colour: str) -> None:
    known = values.dropna()
    scatter = np.random.default_rng(0).uniform(-0.16, 0.16, len(known))
    axis.scatter(known, height + scatter, s=9, color=colour, alpha=0.6, linewidths=0)
    axis.boxplot(
        [known],
        positions=[height],
        orientation="horizontal",
        widths=0.4,
        showfliers=False,
        medianprops={"color": "black"},
    )
    means = fold_means(values)
    axis.scatter(means, np.full(len(means), height), marker="D", s=26, color="white", edgecolors="black", zorder=4)
