"""Means with confidence intervals and paired comparisons; pure functions of the tidy table.

The unit is the case. Folds of one cross-validation share training cases, so fold means are never tested as samples.
Intervals cover the choice of cases, not the randomness of training.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nnunet_skipx.statistics.bootstrap import bca_intervals
from nnunet_skipx.statistics.paired import (
    ROUNDING,
    cliffs_delta,
    detectable_difference,
    equivalence_p,
    sign_flip_p,
    signed_rank_p,
    wins_ties_losses,
)
from nnunet_skipx.statistics.scores import require_equal_cases, require_one_value_per_case

ROPE = 0.003  # a difference in Dice that hardly matters in practice


@dataclass(frozen=True)
class Interval:
    """A mean over `n` cases with its 95 % CI, and the SD of the cases; `dropped` cases had no value.

    NaN where n is too small to tell.
    """

    value: float
    low: float
    high: float
    sd: float
    n: int
    dropped: int


@dataclass(frozen=True)
class PairedDifference:
    """One row against another over the cases of both.

    interval: mean difference per case (first minus baseline).
    signed_rank, sign_flip: two-sided p of Wilcoxon's test and of random changes of sign.
    cliffs_delta: -1 to 1, over all pairs of cases. wins, ties, losses: cases.
    equivalence: p of TOST within +- `rope`. detectable: the difference that a test at 5 % finds with 80 % power.
    """

    interval: Interval
    signed_rank: float
    sign_flip: float
    cliffs_delta: float
    wins: int
    ties: int
    losses: int
    equivalence: float
    detectable: float


def case_values(table: pd.DataFrame, row: str, label: str | None = None, metric: str = "Dice") -> pd.Series:
    """One value per case of a row, indexed by (fold, case): the mean over replicates.

    For `label=None` of the mean over labels; NaN is left out. Raises ValueError when the row is not in the table, or
    has several values per case.
    """
    found = table[(table["row"] == row) & (table["metric"] == metric)]
    if found.empty:
        raise ValueError(f"No results of {row!r} in the table; it has {sorted(table['row'].unique())}")
    require_one_value_per_case(found, row)
    if label is not None:
        found = found[found["label"] == label]
    by_replicate = found.groupby(["replicate", "fold", "case"])["value"].mean()
    return by_replicate.groupby(["fold", "case"]).mean()


def fold_means(values: pd.Series) -> pd.Series:
    """Mean per fold of what `case_values` returned, without NaN."""
    return values.groupby("fold").mean()


def mean_interval(values: pd.Series) -> Interval:
    """Mean of `case_values` and its 95 % CI: BCa bootstrap over the cases of each fold; NaN is left out."""
    known = values.dropna()
    n, dropped = len(known), len(values) - len(known)
    if n == 0:
        return Interval(np.nan, np.nan, np.nan, np.nan, 0, dropped)
    value, sd = float(known.mean()), float(known.std(ddof=1))
    if n > 1 and np.ptp(known) <= ROUNDING:
        return Interval(value, value, value, 0.0, n, dropped)
    folds = tuple(values.index.get_level_values("fold"))
    (low,), (high,) = bca_intervals(values.to_numpy()[:, None], folds)
    return Interval(value, float(low), float(high), sd, n, dropped)


def case_differences(values: pd.Series, baseline: pd.Series) -> pd.Series:
    """values - baseline per case (indexed alike); ValueError when they were not evaluated on the same cases."""
    require_equal_cases([values.index, baseline.index])
    return values - baseline.reindex(values.index)


def paired_difference(values: pd.Series, baseline: pd.Series, rope: float = ROPE) -> PairedDifference:
    """`case_differences` in numbers; a pair with a NaN is dropped and counted."""
    differences = case_differences(values, baseline)
    known = differences.dropna()
    wins, ties, losses = wins_ties_losses(known)
    return PairedDifference(
        interval=mean_interval(differences),
        signed_rank=signed_rank_p(known),
        sign_flip=sign_flip_p(known),
        cliffs_delta=cliffs_delta(values[known.index], baseline[known.index]),
        wins=wins,
        ties=ties,
        losses=losses,
        equivalence=equivalence_p(known, rope),
        detectable=detectable_difference(known),
    )
