"""What the Dice costs."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from nnunet_skipx.report.figures.panel import COLOURS, Panel, data_uri, new_figure
from nnunet_skipx.results.row_cost import RowCost
from nnunet_skipx.statistics.contrasts import Row

QUANTITIES = {"gflops": "GFLOPs", "seconds_per_epoch": "seconds per epoch", "training_mb": "MB in training"}
MARKERS = "osD^vP*"


def cost_panels(rows: Sequence[Row], costs: Mapping[str, RowCost]) -> list[Panel]:
    """Per quantity that two rows or more have: mean Dice with its interval over it, a marker per row."""
    panels = []
    for quantity, name in QUANTITIES.items():
        known = [(row, value) for row in rows if (value := _value(costs.get(row.name), quantity)) is not None]
        if len(known) < 2:
            continue
        figure, (axis,) = new_figure(2.6 + 0.2 * len(known))
        for number, (row, value) in enumerate(known):
            _draw(axis, number, row, value)
        # From 0, so that distances are ratios; the margin at the right is that of autoscaling, which 0 would undo.
        axis.set(xlabel=name, ylabel="mean Dice", xlim=(0, 1.08 * max(value for _, value in known)))
        axis.margins(y=0.08)
        axis.grid(alpha=0.3)
        figure.legend(loc="outside lower center", fontsize=8, frameon=False)
        panels.append(Panel(f"Dice against {name}", data_uri(figure), f"Mean Dice of each row over its {name}"))
    return panels


def _draw(axis: Axes, number: int, row: Row, value: float) -> None:
    mean = row.mean
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number // len(COLOURS) % len(MARKERS)]
    axis.errorbar(
        [value],
        [mean.value],
        [[mean.value - mean.low], [mean.high - mean.value]],
        color=colour,
        marker=marker,
        capsize=3,
        linestyle="",
        label=row.name,
    )


def _value(cost: RowCost | None, quantity: str) -> float | None:
    return getattr(cost, quantity) if cost is not None else None
