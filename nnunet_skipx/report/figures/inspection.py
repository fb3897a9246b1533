"""What `skipx inspect` found: how much each skip matters, how cases were routed, which stage attends to which."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from nnunet_skipx.inspection.records import KINDS, Inspection
from nnunet_skipx.report.figures.panel import COLOURS, Panel, data_uri, new_figure

WORDS = {"zeroed": "set to zero", "other": "replaced by another case's"}


def inspection_panels(inspections: Mapping[str, Inspection]) -> list[Panel]:
    """Per row: Dice lost per skip; routing per case of each gate and attention of stage to stage, where it has them."""
    panels = []
    for row, found in inspections.items():
        panels.append(Panel(row, _lost(found), f"Dice lost per skip of {row}"))
        if not found.routing.empty:
            panels.append(
                Panel(
                    f"{row}: routing per case",
                    _routing(found.routing),
                    f"Heat map: weight of each expert per case and gate of {row}",
                )
            )
        if not found.attention.empty:
            panels.append(
                Panel(
                    f"{row}: attention",
                    _attention(found.attention),
                    f"Heat map: share of attention between the stages of {row}",
                )
            )
    return panels


def _lost(found: Inspection) -> str:
    """A bar per skip and kind, with its 95 % CI as a line."""
    figure, (axis,) = new_figure(2.8)
    skips = np.unique(found.losses["skip"])
    for number, kind in enumerate(KINDS):
        places, means = skips + 0.4 * number - 0.2, [found.loss(kind, skip) for skip in skips]
        axis.bar(places, [mean.value for mean in means], width=0.38, color=COLOURS[number], label=WORDS[kind])
        axis.vlines(places, [mean.low for mean in means], [mean.high for mean in means], color="black", linewidth=1)
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set(xlabel="skip (0 = full resolution)", ylabel="Dice lost", xticks=skips)
    figure.legend(loc="outside upper center", ncols=len(KINDS), frameon=False, fontsize=9)
    return data_uri(figure)


def _routing(routing: pd.DataFrame) -> str:
    """A band per gate: a column per case, a line per expert; cases in the order of gate 1's favourite expert."""
    gates = [
        part.pivot_table(index="expert", columns=["fold", "case"], values="weight")
        for _, part in routing.groupby("gate")
    ]
    order = np.lexsort((gates[0].to_numpy().max(0), gates[0].to_numpy().argmax(0)))
    figure, axes = new_figure(0.7 + 0.6 * len(gates), rows=len(gates))
    for number, (axis, weights) in enumerate(zip(axes, gates, strict=True)):
        image = axis.imshow(
            weights.to_numpy()[:, order], aspect="auto", interpolation="nearest", cmap="cividis", vmin=0, vmax=1
        )
        axis.set_yticks([])
        axis.set_ylabel(f"gate {number + 1}", fontsize=9)
    axes[-1].set_xlabel("case (one line per expert)")
    figure.colorbar(image, ax=axes, label="weight")
    return data_uri(figure, "png")


def _attention(attention: pd.DataFrame) -> str:
    shares = attention.pivot_table(index="stage", columns="attended", values="share")
    figure, (axis,) = new_figure(3.0)
    image = axis.imshow(shares.to_numpy(), cmap="cividis", vmin=0)
    axis.set(xlabel="stage attended to", ylabel="stage", xticks=range(shares.shape[1]), yticks=range(len(shares)))
    figure.colorbar(image, ax=axis, label="share")
    return data_uri(figure, "png")
