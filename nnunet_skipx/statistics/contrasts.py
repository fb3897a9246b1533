"""The numbers of the report: means per row, and contrasts between rows that belong together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from nnunet_skipx.statistics.means import (
    ROPE,
    Interval,
    PairedDifference,
    case_values,
    fold_means,
    mean_interval,
    paired_difference,
)
from nnunet_skipx.statistics.paired import holm


@dataclass(frozen=True)
class Row:
    """The Dice of one row: per class, mean over classes; the means of folds and replicates are points only."""

    name: str
    per_class: dict[str, Interval]
    mean: Interval
    fold_means: dict[int, float]
    replicate_means: dict[int, float]


@dataclass(frozen=True)
class Contrast:
    """One row against another: `against` is the baseline, or a twin of the row.

    p: that of the signed-rank test, after Holm's adjustment over all contrasts of a data set in this metric.
    """

    row: str
    against: str
    kind: Literal["baseline", "twin"]
    difference: PairedDifference
    p: float


@dataclass(frozen=True)
class MetricRow:
    """One row under another metric than Dice: mean over classes, then cases; no contrast for the baseline."""

    metric: str
    row: str
    mean: Interval
    contrast: Contrast | None


def summary_rows(table: pd.DataFrame) -> list[Row]:
    """One `Row` per row of the table, in its order.

    >>> cells = [(row, 1, 0, case, "liver", "Dice") for row in ("A", "B") for case in ("a", "b")]
    >>> table = pd.DataFrame(cells, columns=["row", "replicate", "fold", "case", "label", "metric"])
    >>> [(row.name, round(row.mean.value, 2)) for row in summary_rows(table.assign(value=[0.8, 0.9, 0.7, 0.7]))]
    [('A', 0.85), ('B', 0.7)]
    """
    dice = table[table["metric"] == "Dice"]
    return [_row(part, str(name)) for name, part in dice.groupby("row", sort=False)]


def _row(part: pd.DataFrame, name: str) -> Row:
    values = case_values(part, name)
    return Row(
        name=name,
        per_class={label: mean_interval(case_values(part, name, label)) for label in part["label"].unique()},
        mean=mean_interval(values),
        fold_means=fold_means(values).to_dict(),
        replicate_means={
            int(number): float(case_values(only, name).mean()) for number, only in part.groupby("replicate")
        },
    )


def contrasts(
    table: pd.DataFrame,
    baseline: str,
    rope: float = ROPE,
    metric: str = "Dice",
    twins: Sequence[tuple[str, str]] = (),
) -> list[Contrast]:
    """Every row against the baseline, then every row against each of its twins.

    twins: a row and a twin of it, each. rope: half the region of practical equivalence, in the metric's unit.
    Raises ValueError when the baseline is not in the table, or the cases of two rows are not the same.

    >>> cells = [(row, 1, 0, case, "liver", "Dice") for row in ("A", "B") for case in ("a", "b")]
    >>> table = pd.DataFrame(cells, columns=["row", "replicate", "fold", "case", "label", "metric"])
    >>> (contrast,) = contrasts(table.assign(value=[0.8, 0.9, 0.7, 0.7]), baseline="B")
    >>> contrast.row, contrast.against, round(contrast.difference.interval.value, 2), contrast.p
    ('A', 'B', 0.15, 0.5)
    """
    there = table[table["metric"] == metric]
    values = {str(name): case_values(part, str(name), metric=metric) for name, part in there.groupby("row", sort=False)}
    if baseline not in values:
        raise ValueError(f"the baseline {baseline!r} has no {metric} in the table; it has {sorted(values)}")
    found = [
        Contrast(name, baseline, "baseline", paired_difference(values[name], values[baseline], rope), 1.0)
        for name in values
        if name != baseline
    ]
    for name, twin in twins:
        found.append(Contrast(name, twin, "twin", paired_difference(values[name], values[twin], rope), 1.0))
    return _adjusted(found)


def _adjusted(found: Sequence[Contrast]) -> list[Contrast]:
    """The contrasts with Holm's p over all of them; the same pair in both kinds counts once."""
    raw = {frozenset((contrast.row, contrast.against)): contrast.difference.signed_rank for contrast in found}
    p = dict(zip(raw, holm(list(raw.values())).tolist(), strict=True))
    return [replace(contrast, p=p[frozenset((contrast.row, contrast.against))]) for contrast in found]


def metric_rows(table: pd.DataFrame, baseline: str) -> list[MetricRow]:
    """Metric by metric other than Dice, every row; contrasts with the baseline, p adjusted within each metric.

    >>> cells = [(row, 1, 0, case, "liver", "NSD") for row in ("A", "B") for case in ("a", "b")]
    >>> table = pd.DataFrame(cells, columns=["row", "replicate", "fold", "case", "label", "metric"])
    >>> found = metric_rows(table.assign(value=[0.8, 0.9, 0.7, 0.7]), baseline="B")
    >>> [(row.row, round(row.mean.value, 2), row.contrast and row.contrast.against) for row in found]
    [('A', 0.85, 'B'), ('B', 0.7, None)]
    """
    rows = []
    for metric in (name for name in table["metric"].unique() if name != "Dice"):
        by_row = {contrast.row: contrast for contrast in contrasts(table, baseline, metric=metric)}
        for name in table.loc[table["metric"] == metric, "row"].unique():
            rows.append(
                MetricRow(metric, name, mean_interval(case_values(table, name, metric=metric)), by_row.get(name))
            )
    return rows
