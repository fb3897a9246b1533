"""Which place each row takes, how safely, and which rows differ."""

import numpy as np
import pandas as pd

from nnunet_skipx.report.figures.panel import Panel, data_uri, new_figure

INCHES_PER_ROW = 0.28


def places_panel(places: pd.DataFrame) -> Panel:
    """Share of the draws in which each row (line) takes each place (column)."""
    figure, (axis,) = new_figure(1.2 + INCHES_PER_ROW * len(places))
    image = axis.imshow(places.to_numpy(), aspect="auto", cmap="cividis", vmin=0, vmax=1)
    axis.set_yticks(range(len(places)), [str(name) for name in places.index], fontsize=8)
    axis.set_xticks(range(places.shape[1]), [str(place) for place in places.columns], fontsize=8)
    axis.set_xlabel("place")
    figure.colorbar(image, ax=axis, label="share of draws")
    return Panel("Stability of the places", data_uri(figure, "png"), "Heat map: share of draws per row and place")


def significance_panel(signs: pd.DataFrame) -> Panel:
    """+ where the row of the line is better than that of the column, - where it is worse, empty where undecided."""
    figure, (axis,) = new_figure(1.6 + INCHES_PER_ROW * len(signs))
    # Not over 0.6 of the scale: the signs must be readable on it, in grey too.
    axis.imshow(signs.to_numpy(), aspect="auto", cmap="PuOr_r", vmin=-1.7, vmax=1.7)
    for line, column in zip(*np.nonzero(signs.to_numpy()), strict=True):
        axis.text(column, line, "+" if signs.iat[line, column] > 0 else "–", ha="center", va="center", fontsize=9)
    numbers = range(len(signs))
    axis.set_yticks(numbers, [f"{number + 1}  {name}" for number, name in enumerate(signs.index)], fontsize=8)
    axis.set_xticks(numbers, [str(number + 1) for number in numbers], fontsize=8)
    return Panel("Better (+) or worse (–) than", data_uri(figure, "png"), "Matrix of the verdicts on all pairs")
