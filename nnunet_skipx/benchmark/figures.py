"""Figures of the report as pictures inside a data URI, each small enough to stand alone on a phone."""
import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nnunet_skipx.benchmark.statistics import case_differences, case_values, fold_means, mean_interval
from nnunet_skipx.benchmark.training_log import TrainingLog

# Okabe and Ito's palette: told apart with every kind of colour blindness. Yellow is left out: too pale on white.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
WIDTH_INCHES = 4.4


@dataclass(frozen=True)
class Panel:
    """One picture: a title in words, a data URI, and what it shows for those who cannot see it."""

    title: str
    src: str
    alt: str


def new_figure(height_inches: float, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A white figure and its axes, row by row; without pyplot, so that nothing is shown or kept."""
    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained", facecolor="white")
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel().tolist()
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def data_uri(figure: Figure, kind: Literal["svg", "png"] = "svg") -> str:
    """The figure as a data URI, equal for equal content: no date, no random ids."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "skipx"}):
        figure.savefig(buffer, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else None)
    mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    return f"data:{mime};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def dice_panels(table: pd.DataFrame) -> list[Panel]:
    """Per class, and for the mean over classes: box and points per trainer over cases, diamonds for fold means."""
    trainers = list(table["trainer"].unique())
    left = max(0.0, table.loc[table["metric"] == "Dice", "value"].min() - 0.03)
    panels = []
    for label in (None, *table["label"].unique()):
        figure, (axis,) = new_figure(0.9 + 0.75 * len(trainers))
        for row, trainer in enumerate(trainers):
            _draw_cases(axis, len(trainers) - 1 - row, case_values(table, trainer, label), COLOURS[row % len(COLOURS)])
            axis.text(left, len(trainers) - 0.66 - row, trainer, va="bottom", fontsize=9)
        axis.set(xlim=(left, 1.005), ylim=(-0.5, len(trainers) - 0.3), yticks=[], xlabel="Dice per case")
        axis.spines["left"].set_visible(False)
        axis.grid(axis="x", alpha=0.3)
        title = label or "Mean over classes"
        panels.append(Panel(title, data_uri(figure), f"Box plot of the Dice per case of each trainer: {title}"))
    return panels


def _draw_cases(axis: Axes, height: float, values: pd.Series, colour: str) -> None:
    known = values.dropna()
    scatter = np.random.default_rng(0).uniform(-0.16, 0.16, len(known))
    axis.scatter(known, height + scatter, s=9, color=colour, alpha=0.6, linewidths=0)
    axis.boxplot([known], positions=[height], orientation="horizontal", widths=0.4, showfliers=False,
                 medianprops={"color": "black"})
    means = fold_means(values)
    axis.scatter(means, np.full(len(means), height), marker="D", s=26, color="white", edgecolors="black", zorder=4)


def difference_panels(table: pd.DataFrame, baseline: str) -> list[Panel]:
    """Per trainer: difference of the mean Dice to the baseline for each case, sorted, over the CI of its mean."""
    panels = []
    for trainer in table["trainer"].unique():
        if trainer != baseline:
            differences = case_differences(case_values(table, trainer), case_values(table, baseline))
            title = f"{trainer} minus {baseline}"
            panels.append(Panel(title, _difference_figure(differences.dropna()),
                                f"Sorted paired differences per case, {title}"))
    return panels


def _difference_figure(differences: pd.Series) -> str:
    figure, (axis,) = new_figure(2.8)
    interval = mean_interval(differences)
    axis.axhspan(interval.low, interval.high, color=COLOURS[1], alpha=0.4, linewidth=0, label="95 % CI of the mean")
    axis.axhline(interval.value, color=COLOURS[5], label="mean")
    axis.axhline(0, color="black", linewidth=0.8)
    heights = np.sort(differences.to_numpy())
    axis.plot(np.arange(1, len(heights) + 1), heights, "o", color=COLOURS[0], markersize=3.5)
    axis.set(xlabel="cases, sorted", ylabel="difference in Dice")
    axis.legend(frameon=False, fontsize=9)
    return data_uri(figure)


def curve_panels(logs: Mapping[str, Mapping[int, TrainingLog]]) -> list[Panel]:
    """Per trainer: losses above pseudo Dice over epochs, one colour per fold."""
    panels = []
    for trainer, folds in logs.items():
        figure, (losses, dice) = new_figure(4.6, rows=2)
        _draw_curves(losses, folds, {"train_loss": "--", "val_loss": "-"})
        losses.set_ylabel("loss (dashed: training)", fontsize=9)
        _draw_curves(dice, folds, {"pseudo_dice": "-"})
        dice.set_ylabel("pseudo Dice", fontsize=9)
        dice.set_xlabel("epoch")
        dice.legend(frameon=False, fontsize=9)
        panels.append(Panel(trainer, data_uri(figure), f"Loss and pseudo Dice of {trainer} over epochs, per fold"))
    return panels


def _draw_curves(axis: Axes, folds: Mapping[int, TrainingLog], styles: Mapping[str, str]) -> None:
    for row, (fold, log) in enumerate(folds.items()):
        marker = "." if len(log.epochs) < 30 else ""  # keeps a training of one epoch, which has no line, visible
        for column, style in styles.items():
            axis.plot(log.epochs[column], linestyle=style, marker=marker, linewidth=1.2,
                      color=COLOURS[row % len(COLOURS)], label=f"fold {fold}")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(alpha=0.3)


def usage_panels(logs: Mapping[str, Mapping[int, TrainingLog]]) -> list[Panel]:
    """Per trainer and gate: share of each expert over epochs, one band of rows per fold; empty without experts.

    Folds stand apart because their experts are not the same ones: an average would look balanced by construction.
    """
    panels = []
    for trainer, folds in logs.items():
        for gate in sorted({gate for log in folds.values() for gate in log.expert_usage}):
            usage = {fold: log.expert_usage[gate] for fold, log in folds.items() if gate in log.expert_usage}
            panels.append(Panel(f"{trainer}: gate {gate}", _usage_figure(usage),
                                f"Heat map of expert usage at gate {gate} of {trainer}, per fold and epoch"))
    return panels


def _usage_figure(usage: Mapping[int, pd.DataFrame]) -> str:
    figure, axes = new_figure(0.7 + 0.55 * len(usage), rows=len(usage))
    top = max(frame.to_numpy().max() for frame in usage.values())
    for axis, (fold, frame) in zip(axes, usage.items(), strict=True):
        image = axis.imshow(frame.to_numpy().T, aspect="auto", interpolation="nearest", cmap="cividis", vmin=0,
                            vmax=top, extent=(frame.index[0] - 0.5, frame.index[-1] + 0.5, frame.shape[1] + 0.5, 0.5))
        axis.set_yticks([])
        axis.set_ylabel(f"fold {fold}", fontsize=9)
    axes[-1].set_xlabel("epoch (one row per expert)")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.colorbar(image, ax=axes, label="share")
    return data_uri(figure, "png")
