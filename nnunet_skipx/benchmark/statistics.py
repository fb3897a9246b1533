"""Means with confidence intervals and paired comparisons; pure functions of the tidy table.

The unit is the case. Folds of one cross-validation share training cases, so fold means are never tested as samples.
Intervals cover the choice of cases, not the randomness of training.
"""
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import bootstrap, wilcoxon

RESAMPLES = 10_000
SEED = 12345
# Dice values that agree on paper differ by rounding; below this they count as equal.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Interval:
    """A mean over `n` cases with its 95 % CI; `dropped` cases had no value. NaN where n is too small to tell."""

    value: float
    low: float
    high: float
    n: int
    dropped: int


@dataclass(frozen=True)
class PairedDifference:
    """Mean difference per case (first minus baseline) and the two-sided Wilcoxon signed-rank p."""

    interval: Interval
    p: float


def case_values(table: pd.DataFrame, trainer: str, label: str | None = None) -> pd.Series:
    """One Dice per case of a trainer, indexed by (fold, case); for `label=None` the mean over its labels without NaN.

    Raises ValueError when the trainer is not in the table, or twice (two plans or configurations).
    """
    rows = table[(table["trainer"] == trainer) & (table["metric"] == "Dice")]
    if rows.empty:
        raise ValueError(f"No results of trainer {trainer!r} in the table; it has {sorted(table['trainer'].unique())}")
    if rows.duplicated(["fold", "case", "label"]).any():
        models = sorted(set(zip(rows["dataset"], rows["plans"], rows["configuration"], strict=True)))
        raise ValueError(f"Trainer {trainer!r} has more than one value per case (models {models}); "
                         "collect one data set, plans and configuration at a time")
    if label is not None:
        rows = rows[rows["label"] == label]
    return rows.groupby(["fold", "case"])["value"].mean()


def fold_means(values: pd.Series) -> pd.Series:
    """Mean per fold of what `case_values` returned, without NaN."""
    return values.groupby("fold").mean()


def mean_interval(values: ArrayLike) -> Interval:
    """Mean of values `(n,)` and its 95 % BCa bootstrap CI (10,000 resamples, fixed seed); NaN is left out."""
    everything = np.asarray(values, dtype=float)
    known = everything[~np.isnan(everything)]
    n, dropped = known.size, everything.size - known.size
    if n == 0:
        return Interval(np.nan, np.nan, np.nan, 0, dropped)
    value = float(known.mean())
    if n == 1:
        return Interval(value, np.nan, np.nan, 1, dropped)
    if np.ptp(known) <= ROUNDING:
        return Interval(value, value, value, n, dropped)
    low, high = bootstrap((known,), np.mean, n_resamples=RESAMPLES, method="BCa",
                          rng=np.random.default_rng(SEED)).confidence_interval
    return Interval(value, float(low), float(high), n, dropped)


def case_differences(values: pd.Series, baseline: pd.Series) -> pd.Series:
    """values - baseline per case (indexed alike); ValueError when they were not evaluated on the same cases."""
    unpaired = values.index.symmetric_difference(baseline.index)
    if len(unpaired):
        raise ValueError(f"{len(unpaired)} cases are in the results of one trainer only, for example (fold, case) = "
                         f"{unpaired[0]}: compare trainers on the same folds of the same splits_final.json")
    return values - baseline.reindex(values.index)


def paired_difference(values: pd.Series, baseline: pd.Series) -> PairedDifference:
    """Mean of `case_differences` with CI, and p; a pair with a NaN is dropped and counted."""
    differences = case_differences(values, baseline)
    return PairedDifference(mean_interval(differences), signed_rank_p(differences))


def signed_rank_p(differences: ArrayLike) -> float:
    """Two-sided Wilcoxon signed-rank p of differences `(n,)` without NaN; 1 if all are zero, NaN if there is none."""
    known = np.asarray(differences, dtype=float)
    known = np.round(known[~np.isnan(known)] / ROUNDING) * ROUNDING  # equal sizes must tie in the ranks
    if known.size == 0:
        return float("nan")
    return float(wilcoxon(known).pvalue) if known.any() else 1.0
