"""How the trainings went: losses, pseudo Dice, and what the gates of a mixture chose."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from nnunet_skipx.report.figures.panel import COLOURS, Panel, data_uri, new_figure
from nnunet_skipx.results.training_log import TrainingLog

Logs = Mapping[str, Mapping[int, TrainingLog]]  # by row, then fold


def curve_panels(logs: Logs) -> list[Panel]:
    """Per row: losses above pseudo Dice over epochs, one colour per fold."""
    panels = []
    for row, folds in logs.items():
        figure, (losses, dice) = new_figure(4.6, rows=2)
        _draw_curves(losses, folds, {"train_loss": "--", "val_loss": "-"})
        losses.set_ylabel("loss (dashed: training)", fontsize=9)
        _draw_curves(dice, folds, {"pseudo_dice": "-"})
        dice.set_ylabel("pseudo Dice", fontsize=9)
        dice.set_xlabel("epoch")
        dice.legend(frameon=False, fontsize=9)
        panels.append(Panel(row, data_uri(figure), f"Loss and pseudo Dice of {row} over epochs, per fold"))
    return panels


def _draw_curves(axis: Axes, folds: Mapping[int, TrainingLog], styles: Mapping[str, str]) -> None:
    for number, (fold, log) in enumerate(folds.items()):
        marker = "." if len(log.epochs) < 30 else ""  # keeps a training of one epoch, which has no line, visible
        for column, style in styles.items():
            axis.plot(
                log.epochs[column],
                linestyle=style,
                marker=marker,
                linewidth=1.2,
                color=COLOURS[number % len(COLOURS)],
                label=f"fold {fold}",
            )
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(alpha=0.3)


def balance_panels(logs: Logs) -> list[Panel]:
    """Per row with a balance loss: its course over epochs, one colour per fold."""
    panels = []
    for row, folds in logs.items():
        if all(log.epochs["balance_loss"].isna().all() for log in folds.values()):
            continue
        figure, (axis,) = new_figure(2.6)
        _draw_curves(axis, folds, {"balance_loss": "-"})
        axis.set(xlabel="epoch", ylabel="balance loss")
        axis.legend(frameon=False, fontsize=9)
        panels.append(Panel(f"{row}: balance loss", data_uri(figure), f"Balance loss of {row} over epochs, per fold"))
    return panels


def usage_panels(logs: Logs) -> list[Panel]:
    """Per row and gate: share of each expert over epochs, one band of lines per fold; empty without experts.

    Folds stand apart because their experts are not the same ones: an average would look balanced by construction.
    """
    panels = []
    for row, folds in logs.items():
        for gate in sorted({gate for log in folds.values() for gate in log.expert_usage}):
            usage = {fold: log.expert_usage[gate] for fold, log in folds.items() if gate in log.expert_usage}
            panels.append(
                Panel(
                    f"{row}: gate {gate}",
                    _usage_figure(usage),
                    f"Heat map of expert usage at gate {gate} of {row}, per fold and epoch",
                )
            )
    return panels


def _usage_figure(usage: Mapping[int, pd.DataFrame]) -> str:
    figure, axes = new_figure(0.7 + 0.55 * len(usage), rows=len(usage))
    top = max(frame.to_numpy().max() for frame in usage.values())
    for axis, (fold, frame) in zip(axes, usage.items(), strict=True):
        extent = (frame.index[0] - 0.5, frame.index[-1] + 0.5, frame.shape[1] + 0.5, 0.5)
        image = axis.imshow(
            frame.to_numpy().T, aspect="auto", interpolation="nearest", cmap="cividis", vmin=0, vmax=top, extent=extent
        )
        axis.set_yticks([])
        axis.set_ylabel(f"fold {fold}", fontsize=9)
    axes[-1].set_xlabel("epoch (one row per expert)")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.colorbar(image, ax=axes, label="share")
    return data_uri(figure, "png")
