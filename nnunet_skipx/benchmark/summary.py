"""The numbers of the report, one row per trainer, and what may be said about them in words."""
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nnunet_skipx.benchmark.cost import Cost
from nnunet_skipx.benchmark.statistics import (
    Interval,
    PairedDifference,
    case_values,
    fold_means,
    mean_interval,
    paired_difference,
)
from nnunet_skipx.benchmark.training_log import TrainingLog


@dataclass(frozen=True)
class Row:
    """One trainer: Dice, difference to the baseline (None for itself), cost (None where unknown)."""

    trainer: str
    per_class: dict[str, Interval]
    mean: Interval
    fold_means: dict[int, float]
    difference: PairedDifference | None
    cost: Cost | None
    seconds_per_epoch: float | None


def summary_rows(table: pd.DataFrame, baseline: str, costs: Mapping[str, Cost],
                 logs: Mapping[str, Mapping[int, TrainingLog]]) -> list[Row]:
    """One row per trainer in the table's order; ValueError when the baseline or a case is missing somewhere."""
    reference = case_values(table, baseline)
    return [_row(table, trainer, None if trainer == baseline else reference, costs.get(trainer), logs.get(trainer, {}))
            for trainer in table["trainer"].unique()]


def _row(table: pd.DataFrame, trainer: str, reference: pd.Series | None, cost: Cost | None,
         logs: Mapping[int, TrainingLog]) -> Row:
    values = case_values(table, trainer)
    return Row(
        trainer=trainer,
        per_class={label: mean_interval(case_values(table, trainer, label)) for label in table["label"].unique()},
        mean=mean_interval(values),
        fold_means=fold_means(values).to_dict(),
        difference=None if reference is None else paired_difference(values, reference),
        cost=cost,
        seconds_per_epoch=_seconds_per_epoch(logs),
    )


def _seconds_per_epoch(logs: Mapping[int, TrainingLog]) -> float | None:
    """Median over the epochs of all folds: the first epochs, which warm up, do not count for more."""
    seconds = [value for log in logs.values() for value in log.epochs["seconds"]]
    return float(np.median(seconds)) if seconds else None


def sentence(row: Row, baseline: str) -> str:
    """What the interval of the difference allows to say, and no more; empty for the baseline itself."""
    if row.difference is None:
        return ""
    interval, p = row.difference.interval, row.difference.p
    if np.isnan(interval.low):
        return f"{row.trainer} and {baseline} cannot be compared: n = {interval.n} is too few cases for an interval."
    numbers = f"{interval.value:+.3f}, 95 % CI {interval.low:+.3f} to {interval.high:+.3f}"
    if interval.low <= 0 <= interval.high:
        return (f"No difference shown between {row.trainer} and {baseline} at n = {interval.n} cases "
                f"(mean Dice difference {numbers}); this does not show that they are equal.")
    word = "higher" if interval.low > 0 else "lower"
    doubt = "" if p < 0.05 else f" The signed-rank test does not confirm it (p = {p:.2g})."
    return (f"{row.trainer} reached a {word} mean Dice than {baseline} on these {interval.n} cases "
            f"({numbers}).{doubt}")
