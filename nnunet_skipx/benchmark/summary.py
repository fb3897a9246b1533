"""The numbers of the report, one row per trainer, and what may be said about them in words."""
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nnunet_skipx.benchmark.cost import Cost
from nnunet_skipx.benchmark.paired import ALPHA, holm
from nnunet_skipx.benchmark.statistics import (
    ROPE,
    Interval,
    PairedDifference,
    case_differences,
    case_values,
    fold_means,
    mean_interval,
    paired_difference,
)
from nnunet_skipx.benchmark.training_log import TrainingLog


@dataclass(frozen=True)
class Row:
    """One trainer: Dice, difference to the baseline (None for itself), cost (None where unknown).

    p: that of the signed-rank test after Holm's adjustment over all trainers of the table; None for the baseline.
    """

    trainer: str
    per_class: dict[str, Interval]
    mean: Interval
    fold_means: dict[int, float]
    difference: PairedDifference | None
    p: float | None
    cost: Cost | None
    seconds_per_epoch: float | None


def summary_rows(
    table: pd.DataFrame,
    baseline: str,
    costs: Mapping[str, Cost],
    logs: Mapping[str, Mapping[int, TrainingLog]],
) -> list[Row]:
    """One row per trainer in the table's order; ValueError when the baseline or a case is missing somewhere."""
    reference = case_values(table, baseline)
    trainers = list(table["trainer"].unique())
    others = {name: paired_difference(case_values(table, name), reference) for name in trainers if name != baseline}
    adjusted = dict(zip(others, holm([other.signed_rank for other in others.values()]).tolist(), strict=True))
    return [
        Row(
            trainer=name,
            per_class={label: mean_interval(case_values(table, name, label)) for label in table["label"].unique()},
            mean=mean_interval(case_values(table, name)),
            fold_means=fold_means(case_values(table, name)).to_dict(),
            difference=others.get(name),
            p=adjusted.get(name),
            cost=costs.get(name),
            seconds_per_epoch=_seconds_per_epoch(logs.get(name, {})),
        )
        for name in trainers
    ]


def _seconds_per_epoch(logs: Mapping[int, TrainingLog]) -> float | None:
    """Median over the epochs of all folds: the first epochs, which warm up, do not count for more."""
    seconds = [value for log in logs.values() for value in log.epochs["seconds"]]
    return float(np.median(seconds)) if seconds else None


@dataclass(frozen=True)
class MetricRow:
    """One trainer under another metric than Dice: mean over classes, then cases; difference None for the baseline."""

    metric: str
    trainer: str
    mean: Interval
    difference: Interval | None


def metric_rows(table: pd.DataFrame, baseline: str) -> list[MetricRow]:
    """Metric by metric, a row per trainer that has it."""
    rows = []
    for metric in (name for name in table["metric"].unique() if name != "Dice"):
        reference = case_values(table, baseline, metric=metric)
        for trainer in table.loc[table["metric"] == metric, "trainer"].unique():
            values = case_values(table, trainer, metric=metric)
            difference = None if trainer == baseline else mean_interval(case_differences(values, reference))
            rows.append(MetricRow(metric, trainer, mean_interval(values), difference))
    return rows


def sentence(row: Row, baseline: str) -> str:
    """What the interval of the difference allows to say, and no more; empty for the baseline itself."""
    if row.difference is None or row.p is None:
        return ""
    interval = row.difference.interval
    if np.isnan(interval.low):
        return f"{row.trainer} and {baseline} cannot be compared: n = {interval.n} is too few cases for an interval."
    numbers = f"{interval.value:+.3f}, 95 % CI {interval.low:+.3f} to {interval.high:+.3f}"
    if interval.low <= 0 <= interval.high:
        return f"{_nothing_shown(row.difference, row.trainer, baseline)} (mean Dice difference {numbers})."
    word = "higher" if interval.low > 0 else "lower"
    doubt = "" if row.p < ALPHA else f" The signed-rank test does not confirm it (p = {row.p:.2g} after Holm)."
    return f"{row.trainer} reached a {word} mean Dice than {baseline} on these {interval.n} cases ({numbers}).{doubt}"


def _nothing_shown(difference: PairedDifference, trainer: str, baseline: str) -> str:
    """Equal as far as it matters, or only not shown to differ: which of the two the cases allow to say."""
    cases = f"at n = {difference.interval.n} cases"
    if difference.equivalence < ALPHA:
        return f"{trainer} and {baseline} are equivalent within {ROPE} Dice {cases} (p = {difference.equivalence:.2g})"
    return (
        f"No difference shown between {trainer} and {baseline} {cases}, which could have shown one of "
        f"{difference.detectable:.3f}; this does not show that they are equal"
    )
