"""Paired comparisons over cases: tests, effect sizes, equivalence, and what a study of this size could have seen.

Every function takes differences or values `(n,)` without NaN; the unit is the case.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import permutation_test, rankdata, t, ttest_1samp, wilcoxon

RESAMPLES = 10_000
SEED = 12345
# Dice values that agree on paper differ by rounding; below this they count as equal.
ROUNDING = 1e-12
ALPHA = 0.05
POWER = 0.8
COUNTED_CASES = 13  # up to here scipy's wilcoxon, too, counts all signs


def signed_rank_p(differences: ArrayLike) -> float:
    """Two-sided Wilcoxon signed-rank p; 1 if all differences are zero, NaN if there is none.

    >>> signed_rank_p([0.1, 0.2, 0.3])  # 2 of the 8 ways to put signs are as one-sided
    0.25
    """
    rounded = _rounded(differences)
    if rounded.size == 0:
        return float("nan")
    if rounded.size <= COUNTED_CASES:
        return _counted_p(signed_ranks(rounded))
    return float(wilcoxon(rounded).pvalue) if rounded.any() else 1.0


def signed_ranks(differences: ArrayLike) -> np.ndarray:
    """Rank of each |difference| in its column, with the difference's sign; 0 for zeros and NaN; `(n,)` or `(n, m)`.

    >>> signed_ranks([0.3, -0.1, 0.0]).tolist()
    [2.0, -1.0, 0.0]
    """
    rounded = np.nan_to_num(_rounded(differences))
    ranks: np.ndarray = np.sign(rounded) * (rankdata(np.abs(rounded), axis=0) - (rounded == 0).sum(0))  # zeros first
    return ranks


def _counted_p(ranks: np.ndarray) -> float:
    """p of the rank sum of few cases by all 2^n signs at once: what scipy takes a second for where there are ties."""
    signs = 2.0 * (np.arange(2 ** len(ranks))[:, None] >> np.arange(len(ranks)) & 1) - 1
    sums = signs @ np.abs(ranks)
    return float(min(1, 2 * min((sums >= ranks.sum()).mean(), (sums <= ranks.sum()).mean())))


def sign_flip_p(differences: ArrayLike) -> float:
    """Two-sided p of the mean difference under random changes of sign: exact for few cases, else of 10,000 draws.

    >>> sign_flip_p([0.1, 0.2, 0.3])
    0.25
    """
    rounded = _rounded(differences)
    if rounded.size == 0:
        return float("nan")
    if rounded.size == 1 or not rounded.any():
        return 1.0
    result = permutation_test(
        (rounded,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(SEED),
        axis=0,
    )
    return float(result.pvalue)


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's step-down adjustment of p-values `(m,)`; NaN, a comparison that could not be made, stays and counts not.

    Holm (1979): the k-th smallest of m is multiplied by m - k + 1, then made not smaller than those before it.

    >>> holm([0.01, 0.04, float("nan"), 0.02]).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    p = np.asarray(p_values, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]  # NaN sorts last
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return adjusted


def cliffs_delta(values: ArrayLike, baseline: ArrayLike) -> float:
    """P(value > baseline) - P(value < baseline) over all pairs of cases, -1 to 1 (Cliff 1993).

    >>> cliffs_delta([0.9, 0.7], [0.8, 0.6])  # 3 of 4 pairs are won, 1 is lost
    0.5
    """
    a, b = _rounded(values), np.sort(_rounded(baseline))
    if not (a.size and b.size):
        return float("nan")
    greater = np.searchsorted(b, a, side="left").sum()
    smaller = (b.size - np.searchsorted(b, a, side="right")).sum()
    return float((greater - smaller) / (a.size * b.size))


def wins_ties_losses(differences: ArrayLike) -> tuple[int, int, int]:
    """Cases with a positive, no and a negative difference.

    >>> wins_ties_losses([0.1, 0.0, -0.2, 0.3])
    (2, 1, 1)
    """
    rounded = _rounded(differences)
    return int((rounded > 0).sum()), int((rounded == 0).sum()), int((rounded < 0).sum())


def equivalence_p(differences: ArrayLike, rope: float) -> float:
    """p of two one-sided t-tests (TOST) that the mean difference lies between -rope and +rope.

    Small p: equivalent within the region of practical equivalence. NaN for fewer than two cases.

    >>> equivalence_p([0.001, 0.001, 0.001], rope=0.003)
    0.0
    """
    d = np.asarray(differences, dtype=float)
    if d.size < 2:
        return float("nan")
    if np.ptp(d) <= ROUNDING:
        return 0.0 if abs(d[0]) < rope else 1.0
    above, below = ttest_1samp(d, -rope, alternative="greater"), ttest_1samp(d, rope, alternative="less")
    return float(max(above.pvalue, below.pvalue))


def detectable_difference(differences: ArrayLike) -> float:
    """The smallest mean difference that a t-test at 5 % finds with 80 % power, given n and this scatter.

    (t_{n-1, 0.975} + t_{n-1, 0.8}) s / sqrt(n). NaN for fewer than two cases.

    >>> differences = np.tile([-0.01, 0.01], 50)
    >>> round(detectable_difference(differences), 4)
    0.0028
    """
    d = np.asarray(differences, dtype=float)
    if d.size < 2:
        return float("nan")
    quantiles = t.ppf(1 - ALPHA / 2, d.size - 1) + t.ppf(POWER, d.size - 1)
    return float(quantiles * d.std(ddof=1) / np.sqrt(d.size))


def _rounded(values: ArrayLike) -> np.ndarray:
    """Values in multiples of `ROUNDING`, so that what is equal ties."""
    return np.round(np.asarray(values, dtype=float) / ROUNDING) * ROUNDING
