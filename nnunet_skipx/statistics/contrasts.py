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
from nnunet_skipx.statistics.scores import NO_EMPTIES, Empties, EmptyRule, case_table, row_scores

# Options in a trainer's name that make it a twin of the trainer without them.
TWIN = "twin"  # ingredients that the network claims are taken out, at as many parameters
FLOPSTWIN = "flopstwin"  # the same, at as many operations
WITHOUT = "without-"  # this one claimed ingredient is taken out, at as many parameters; several may stand in a name


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
    empties: structures that are in neither map of a row, or have no value there.
    """

    row: str
    against: str
    kind: Literal["baseline", "twin"]
    difference: PairedDifference
    p: float
    empties: Empties = NO_EMPTIES


@dataclass(frozen=True)
class MetricRow:
    """One row under another metric than Dice: mean over classes, then cases; no contrast for the baseline."""

    metric: str
    row: str
    mean: Interval
    contrast: Contrast | None


def summary_rows(table: pd.DataFrame) -> list[Row]:
    """One `Row` per row of the table, in its order."""
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
    with_twins: bool = True,
    rule: EmptyRule = "scored",
) -> list[Contrast]:
    """Every row against the baseline, then every row against each of its twins.

    rope: half the region of practical equivalence, in the metric's unit. rule: for structures that are not there.
    Raises ValueError when the baseline is not in the table, or the cases of two rows are not the same.
    """
    scores = row_scores(table, metric)
    if baseline not in scores:
        raise ValueError(f"the baseline {baseline!r} has no {metric} in the table; it has {sorted(scores)}")
    pairs: list[tuple[str, str, Literal["baseline", "twin"]]] = [
        (row, baseline, "baseline") for row in scores if row != baseline
    ]
    if with_twins:
        pairs += [(row, twin, "twin") for row, twin in twins(list(scores))]
    found = []
    for row, against, kind in pairs:
        values, empties = case_table({name: scores[name] for name in (row, against)}, rule)
        difference = paired_difference(values[row], values[against], rope)
        found.append(Contrast(row, against, kind, difference, 1.0, empties))
    return adjusted(found)


def adjusted(found: Sequence[Contrast]) -> list[Contrast]:
    """The contrasts with Holm's p over all of them; the same pair in both kinds counts once."""
    raw = {frozenset((contrast.row, contrast.against)): contrast.difference.signed_rank for contrast in found}
    p = dict(zip(raw, holm(list(raw.values())).tolist(), strict=True))
    return [replace(contrast, p=p[frozenset((contrast.row, contrast.against))]) for contrast in found]


def twins(names: Sequence[str]) -> list[tuple[str, str]]:
    """A row and a twin of it, for every twin that stands beside its row; options may come in any order."""
    parts = {name: _parts(name) for name in names}
    rows = [name for name in names if not parts[name][1]]  # a twin has no twins
    return [
        (row, other)
        for row in rows
        for other in names
        if parts[other][0] == parts[row][0] and _make_a_twin(parts[other][1])
    ]


def options_in(name: str) -> list[str]:
    """The options of the trainer in a row's name."""
    return name.partition(" ")[0].split("_")[1:]


def ingredients_left_out(name: str) -> tuple[str, ...]:
    """Those that a row's name itself says; empty where it says none, as that of a `_twin`."""
    return tuple(option.removeprefix(WITHOUT) for option in options_in(name) if option.startswith(WITHOUT))


def _parts(name: str) -> tuple[tuple[str, frozenset[str], str], frozenset[str]]:
    """What a row has in common with its twins: trainer, options, plans and configuration; and a twin's own options."""
    trainer, _, rest = name.partition(" ")
    options = frozenset(options_in(name))
    own = frozenset(option for option in options if option in (TWIN, FLOPSTWIN) or option.startswith(WITHOUT))
    return (trainer.split("_")[0], options - own, rest), own


def _make_a_twin(own: frozenset[str]) -> bool:
    """Whether these options are those of one twin: a mixture of several kinds is none."""
    return own in ({TWIN}, {FLOPSTWIN}) or (bool(own) and all(option.startswith(WITHOUT) for option in own))


def metric_rows(table: pd.DataFrame, baseline: str, rule: EmptyRule = "scored") -> list[MetricRow]:
    """Metric by metric other than Dice, every row; contrasts with the baseline, p adjusted within each metric."""
    rows = []
    for metric in (name for name in table["metric"].unique() if name != "Dice"):
        made = contrasts(table, baseline, metric=metric, with_twins=False, rule=rule)
        by_row = {contrast.row: contrast for contrast in made}
        for name in table.loc[table["metric"] == metric, "row"].unique():
            rows.append(
                MetricRow(metric, name, mean_interval(case_values(table, name, metric=metric)), by_row.get(name))
            )
    return rows
