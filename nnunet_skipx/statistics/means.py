"""Means with confidence intervals and paired differences, by the laws of `estimate`."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t

from nnunet_skipx.statistics.estimate import ALPHA, ROUNDING, Estimates, Training, estimates
from nnunet_skipx.statistics.scores import known_mean, require_one_value_per_case

ROPE = 0.003  # a difference in Dice that hardly matters in practice


@dataclass(frozen=True)
class Interval:
    """A mean over `n` cases with its 95 % CI, and the SD of the cases; `dropped` cases had no value.

    NaN where n is too small to tell, or nothing scatters. training: how the noise of training is in it. clusters: how
    many patients the cases are of; None where each case counts for itself.
    """

    value: float
    low: float
    high: float
    sd: float
    n: int
    dropped: int
    training: Training = "unknown"
    clusters: int | None = None


@dataclass(frozen=True)
class PairedDifference:
    """One row against another over the cases of both.

    interval: mean difference per case (first minus second). p: two-sided t-test that it is 0, by the same law as the
    interval. outside: p of the two one-sided tests (TOST) that it lies outside of +- ROPE. detectable: the difference
    that the test finds with 80 % power after adjustment. wins, ties, losses: cases in which the first is better, as
    good, worse. laws: (standard error, degrees of freedom) of each t law that applies; the widest decides.
    """

    interval: Interval
    p: float
    outside: float
    detectable: float
    wins: int
    ties: int
    losses: int
    laws: tuple[tuple[float, float], ...] = ()

    def p_below(self, bound: float, sign: int = 1) -> float:
        """One-sided, that the mean difference, times the sign, is not above a bound; NaN without a law."""
        found = [float(t.sf((sign * self.interval.value - bound) / error, freedom)) for error, freedom in self.laws]
        return max(found, default=float("nan"))

    @property
    def share_better(self) -> float:
        """The effect size of pairs: the share of cases in which the first is better, ties by half; NaN of none.

        >>> PairedDifference(Interval(0.1, 0.0, 0.2, 0.1, 4, 0), 0.05, 1.0, 0.1, wins=2, ties=1, losses=1).share_better
        0.625
        """
        cases = self.wins + self.ties + self.losses
        return (self.wins + self.ties / 2) / cases if cases else float("nan")


def case_values(table: pd.DataFrame, row: str, label: str | None = None, metric: str = "Dice") -> pd.Series:
    """One value per case of a row, indexed by (fold, case): the mean over replicates.

    For `label=None` of the mean over labels; NaN is left out. Raises ValueError when the row is not in the table, or
    has several values per case.

    >>> table = pd.DataFrame(
    ...     [("A", 1, 0, "a", "liver", "Dice", 0.8), ("A", 2, 0, "a", "liver", "Dice", 0.9)],
    ...     columns=["row", "replicate", "fold", "case", "label", "metric", "value"],
    ... )
    >>> case_values(table, "A").round(2).to_dict()
    {(0, 'a'): 0.85}
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
    """Mean per fold of what `case_values` returned, without NaN.

    >>> cases = pd.MultiIndex.from_tuples([(0, "a"), (0, "b"), (1, "c"), (1, "d")], names=["fold", "case"])
    >>> fold_means(pd.Series([0.8, 0.9, 0.7, np.nan], cases)).round(2).to_dict()
    {0: 0.85, 1: 0.7}
    """
    return values.groupby("fold").mean()


def mean_interval(values: pd.Series) -> Interval:
    """Mean of one value per case, indexed by (fold, case), and its 95 % CI; NaN is left out.

    >>> cases = pd.MultiIndex.from_tuples([(0, "a"), (0, "b"), (1, "c"), (1, "d")], names=["fold", "case"])
    >>> found = mean_interval(pd.Series([0.8, 0.9, 0.7, np.nan], cases))
    >>> round(found.value, 2), found.n, found.dropped, found.low  # too few cases for an interval
    (0.8, 3, 1, nan)
    """
    folds = values.index.get_level_values("fold").tolist()
    return mean_intervals(values.to_numpy(dtype=float)[None, :, None], folds)[0]


def mean_intervals(
    values: np.ndarray,
    folds: Sequence[Hashable],
    bounds: tuple[float, float] = (-np.inf, np.inf),
    clusters: Sequence[Hashable] | None = None,
) -> list[Interval]:
    """The interval of each column of `(replicate, case, column)`, within what the metric can be; NaN is left out.

    folds, clusters: of the cases, as `estimates` takes them.

    >>> (found,) = mean_intervals(np.array([0.2, *[1.0] * 5])[None, :, None], [0] * 6, (0, 1))
    >>> round(found.value, 2), round(found.low, 2), found.high
    (0.87, 0.52, 1.0)
    """
    found = estimates([values], folds, clusters)
    return [_interval(found, column, clusters is not None, len(folds), bounds) for column in range(values.shape[-1])]


def paired_difference(
    one: np.ndarray,
    other: np.ndarray,
    folds: Sequence[Hashable],
    rope: float = ROPE,
    comparisons: int = 1,
    sign: int = 1,
    clusters: Sequence[Hashable] | None = None,
    span: float = np.inf,
) -> PairedDifference:
    """One minus other, both `(replicate, case)` of the same cases; a pair with a NaN is left out.

    comparisons: how many pairs are compared, for the difference that this one could have shown. sign: +1 where more is
    better, -1 where less is; 0 where neither is, and nobody wins. span: how far two values can be apart.

    >>> other = np.linspace(0.7, 0.8, 10)[None]
    >>> found = paired_difference(other + 0.1 * other**2, other, [case % 5 for case in range(10)])
    >>> round(found.interval.value, 3), found.p < 0.05, (found.wins, found.ties, found.losses)
    (0.056, True, (10, 0, 0))
    """
    found = estimates([one[..., None], other[..., None]], folds, clusters)
    differences = sign * np.round((known_mean(one, 0) - known_mean(other, 0)) / ROUNDING)
    return PairedDifference(
        interval=_interval(found, 0, clusters is not None, len(folds), (-span, span)),
        p=float(found.p()[0]),
        outside=float(found.p_outside(rope)[0]),
        detectable=float(found.detectable(ALPHA / comparisons)[0]),
        wins=int((differences > 0).sum()),
        ties=int((differences == 0).sum()),
        losses=int((differences < 0).sum()),
        laws=tuple((float(e), float(f)) for e, f in zip(found.error[:, 0], found.freedom[:, 0], strict=True) if e > 0),
    )


def _interval(found: Estimates, column: int, clustered: bool, cases: int, bounds: tuple[float, float]) -> Interval:
    value, half = float(found.value[column]), float(found.half_width()[column])
    low, high = np.clip([value - half, value + half], *bounds).tolist()
    n = int(found.n[column])
    clusters = int(found.clusters[column]) if clustered else None
    return Interval(value, low, high, float(found.sd[column]), n, cases - n, found.training(column), clusters)
