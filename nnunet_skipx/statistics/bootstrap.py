"""BCa bootstrap confidence intervals of means over cases, resampled within their folds, for many columns at once."""

import functools
from collections import Counter
from collections.abc import Hashable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

RESAMPLES = 10_000
SEED = 12345
COVERAGE = 0.95


@functools.lru_cache(maxsize=4)
def resampling_counts(strata: tuple[Hashable, ...]) -> np.ndarray:
    """How often each case stands in each resample, `(RESAMPLES, n)`: as many cases of each stratum as it has.

    strata: the stratum of each case, `(n,)`, for example its fold. Seeded: equal strata give the same resamples, so all
    intervals of a study rest on the same ones.

    >>> counts = resampling_counts(("fold 0", "fold 0", "fold 1"))
    >>> counts.shape, set(counts[:, :2].sum(1).tolist()), set(counts[:, 2].tolist())
    ((10000, 3), {2.0}, {1.0})
    """
    rng = np.random.default_rng(SEED)
    names = _numbered(strata)
    counts = np.zeros((RESAMPLES, len(names)), dtype=np.float32)
    rows = np.arange(RESAMPLES)[:, None]
    for stratum in np.unique(names):
        members = np.flatnonzero(names == stratum)
        np.add.at(counts, (rows, members[rng.integers(len(members), size=(RESAMPLES, len(members)))]), 1)
    return counts


def bca_intervals(values: ArrayLike, strata: tuple[Hashable, ...]) -> np.ndarray:
    """Lower and upper end of the 95 % CI of each column's mean, `(2, columns)`; NaN for fewer than two values.

    Bias-corrected and accelerated (Efron 1987): z0 from the share of resampled means below the mean, the acceleration
    from the cases' deviations from the means of their strata. A resample of k cases scatters by (k - 1) / k too little
    in variance, which matters in small strata: deviations are scaled by sqrt(k / (k - 1)) (Rao & Wu 1988), and the ends
    kept within the range of the values. Strata are those of `usable_strata`.

    Args:
        values: `(n, columns)`; NaN is left out, column by column.
        strata: the stratum of each case, `(n,)`.

    >>> values = np.linspace(0.7, 0.9, 20)[:, None]
    >>> bca_intervals(values, (0,) * 10 + (1,) * 10).round(3).tolist()
    [[0.786], [0.814]]
    """
    table = np.asarray(values, dtype=float)
    ends = np.full((2, table.shape[1]), np.nan)
    strata = usable_strata(strata)
    counts = resampling_counts(strata)
    plain, scaled = deviations(table, strata)
    known = ~np.isnan(table)
    with np.errstate(invalid="ignore"):
        drawn = (counts @ scaled) / (counts @ known)  # around 0; NaN where a resample has no known case
    for column in np.flatnonzero(known.sum(0) > 1):
        kept = table[known[:, column], column]
        interval = _bca_ends(drawn[~np.isnan(drawn[:, column]), column], plain[:, column])
        ends[:, column] = np.clip(kept.mean() + interval, kept.min(), kept.max())
    return ends


def usable_strata(strata: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    """The strata, or a single one for all where one of them has a single case, which would never be drawn anew.

    >>> usable_strata((0, 0, 1, 1)), usable_strata((0, 0, 1))
    ((0, 0, 1, 1), (0, 0, 0))
    """
    return strata if min(Counter(strata).values(), default=0) > 1 else (0,) * len(strata)


def _numbered(strata: tuple[Hashable, ...]) -> np.ndarray:
    """The strata as numbers, in the order in which they come."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(strata))}
    return np.array([numbers[name] for name in strata])


def deviations(table: np.ndarray, strata: tuple[Hashable, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Values `(n, columns)` minus the mean of their stratum, as they are and scaled by sqrt(k / (k - 1)); 0 for NaN.

    >>> plain, scaled = deviations(np.array([[1.0], [3.0]]), (0, 0))
    >>> plain.ravel().tolist(), scaled.ravel().round(3).tolist()
    ([-1.0, 1.0], [-1.414, 1.414])
    """
    names = _numbered(strata)
    plain, scaled = np.zeros_like(table), np.zeros_like(table)
    for stratum in np.unique(names):
        part = table[names == stratum]
        k = np.maximum((~np.isnan(part)).sum(0), 1)
        centred = np.nan_to_num(part - np.nansum(part, 0) / k)
        plain[names == stratum] = centred
        scaled[names == stratum] = centred * np.sqrt(k / np.maximum(k - 1, 1))
    return plain, scaled


def _bca_ends(drawn: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """The BCa interval of resampled means around 0."""
    spread = (deviations**2).sum()
    if spread == 0:
        return np.zeros(2)
    acceleration = (deviations**3).sum() / (6 * spread**1.5)
    rounding = 1e-9 * np.sqrt(spread)
    below = (np.count_nonzero(drawn < -rounding) + np.count_nonzero(abs(drawn) <= rounding) / 2) / len(drawn)
    z0 = ndtri(np.clip(below, 1 / len(drawn), 1 - 1 / len(drawn)))
    z = z0 + ndtri([(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    ends: np.ndarray = np.quantile(drawn, ndtr(z0 + z / (1 - acceleration * z)))
    return ends
