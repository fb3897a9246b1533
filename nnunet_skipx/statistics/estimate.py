"""Means over cases, and mean differences, as estimates: both the cases and the trained networks are a sample.

Every fold has a network of its own, and all its cases share that network's luck. With replicates the variance between
trained networks is estimated and added to that of the cases. Without, it shows only in the scatter between folds, where
it is confounded with the folds' cases: then a mean is judged by the t law over fold means and by that over cases, and
the wider of the two decides. Where several cases are of one patient (a cluster), the patients are the sample: what a
law over cases takes for independent is then the sum of a patient's deviations.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import nctdtrinc
from scipy.stats import t

from nnunet_skipx.statistics.clusters import Clusters, by_cluster
from nnunet_skipx.statistics.scores import known_mean
from nnunet_skipx.statistics.trainings import TINY, membership, training_noise

COVERAGE = 0.95
ALPHA = 0.05
POWER = 0.8
FEWEST_CASES = 6  # fewer give no interval
FEWEST_IN_FOLD = 3  # with fewer known values in one fold, the scatter is that around the mean of all
# Dice values that agree on paper differ by rounding; below this they count as equal.
ROUNDING = 1e-12
# How the noise of training enters: from replicates, from the scatter between folds, or not at all in a single network.
Training = Literal["replicates", "folds", "unknown"]


@dataclass(frozen=True)
class Estimates:
    """Means by column `(columns,)`, and the t laws that judge them `(laws, columns)`: the widest decides.

    sd: of the cases. n: known cases, of so many clusters. error: standard error, freedom: degrees of freedom; NaN for a
    law that does not apply, and for fewer than `FEWEST_CASES` clusters or no cases that differ.
    """

    value: np.ndarray
    sd: np.ndarray
    n: np.ndarray
    clusters: np.ndarray
    error: np.ndarray
    freedom: np.ndarray
    replicated: bool

    def half_width(self, coverage: float = COVERAGE) -> np.ndarray:
        """Half the confidence interval, NaN without a law."""
        return _widest(t.ppf((1 + coverage) / 2, self.freedom) * self.error)

    def p(self) -> np.ndarray:
        """Two-sided, that the mean is 0."""
        return _widest(2 * t.sf(np.abs(self.value) / self.error, self.freedom))

    def p_outside(self, rope: float) -> np.ndarray:
        """That the mean is not between -rope and rope: the larger of two one-sided tests."""
        return _widest(t.sf((rope - np.abs(self.value)) / self.error, self.freedom))

    def p_below(self, bound: float) -> np.ndarray:
        """That the mean is not above a bound: one-sided."""
        return _widest(t.sf((self.value - bound) / self.error, self.freedom))

    def detectable(self, alpha: float = ALPHA) -> np.ndarray:
        """The smallest mean that the test at alpha finds with 80 % power (noncentral t), given n and this scatter."""
        return _widest(nctdtrinc(self.freedom, 1 - POWER, t.ppf(1 - alpha / 2, self.freedom)) * self.error)

    def training(self, column: int) -> Training:
        """How the noise of training enters."""
        if self.replicated:
            return "replicates"
        return "unknown" if np.isnan(self.error[-1, column]) else "folds"


def estimates(
    terms: Sequence[np.ndarray], folds: Sequence[Hashable], clusters: Sequence[Hashable] | None = None
) -> Estimates:
    """The mean of one row, or of the first row minus the second, over cases, each with its mean over replicates.

    terms: one or two arrays `(replicate, case, column)`; NaN is left out. folds, clusters (None where each case is one
    of its own): of the cases.

    >>> found = estimates([np.linspace(0.7, 0.9, 20)[None, :, None]], [case % 5 for case in range(20)])
    >>> found.value.round(3).tolist(), found.half_width().round(3).tolist(), found.training(0)
    ([0.8], [0.032], 'folds')
    """
    member = membership(folds)
    first, *second = (known_mean(term, 0) for term in terms)
    values = first - second[0] if second else first
    known = ~np.isnan(values)
    filled, size = np.nan_to_num(values), member.T @ known  # (case, column), (fold, column)
    n = size.sum(0)
    mean = filled.sum(0) / np.maximum(n, 1)
    fold_mean = member.T @ filled / np.maximum(size, 1)
    around, within = known * (filled - mean), known * (filled - member @ fold_mean)
    sampled, squares = by_cluster(known, member, clusters), (around**2).sum(0)
    laws = [_over_cases(sampled.squares(around), sampled.squares(within), n, sampled)]
    replicated = all(len(term) > 1 for term in terms)
    if replicated:
        laws = [_with_training(*laws[0], terms, known, member)]
    else:
        laws.append(_over_folds(fold_mean - mean, size))
    kept = np.where(known, filled, mean)
    scatter = kept.max(0, initial=-np.inf) - kept.min(0, initial=np.inf)
    usable = (sampled.count >= FEWEST_CASES) & (scatter > ROUNDING)
    error, freedom = (np.where(usable, np.stack(part), np.nan) for part in zip(*laws, strict=True))
    sd = np.sqrt(np.where(n > 1, squares / np.maximum(n - 1, 1), np.nan))
    value = np.where(n > 0, mean, np.nan)
    return Estimates(value, sd, n.astype(int), sampled.count.astype(int), error, freedom, replicated)


def _over_cases(
    around: np.ndarray, within: np.ndarray, n: np.ndarray, sampled: Clusters
) -> tuple[np.ndarray, np.ndarray]:
    """(standard error, degrees of freedom) from the clusters' scatter in folds, or around one mean if these are few."""
    count, folds = sampled.count, (sampled.size > 0).sum(0)
    whole = ((sampled.size > 0) & (sampled.size < FEWEST_IN_FOLD)).any(0) | (within <= n * ROUNDING**2)
    freedom = np.maximum(np.where(whole, count - 1, count - folds), 1)
    return np.sqrt(np.where(whole, around, within) * count / freedom) / np.maximum(n, 1), freedom


def _over_folds(deviation: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(standard error, degrees of freedom) from the fold means' scatter around that of all cases; NaN for one fold."""
    folds = (size > 0).sum(0)
    freedom = np.where(folds > 1, folds - 1.0, np.nan)
    weight = size / np.maximum(size.sum(0), 1)
    error = np.sqrt(folds / freedom * ((weight * deviation) ** 2).sum(0))
    return np.maximum(error, TINY), freedom  # fold means may agree exactly; the other law decides then


def _with_training(
    error: np.ndarray, freedom: np.ndarray, terms: Sequence[np.ndarray], known: np.ndarray, member: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same with the variance between replicates; degrees of freedom after Satterthwaite, at most the cases'."""
    noise = [training_noise(np.where(known, term, np.nan), member) for term in terms]
    variance = error**2 + np.maximum(sum(part.of_mean for part in noise), 0)
    of_variance = error**4 / freedom + sum(part.between**2 / np.maximum(part.freedom, 1) for part in noise)
    return np.sqrt(variance), np.clip(variance**2 / np.maximum(of_variance, TINY), 1, freedom)


def _widest(by_law: np.ndarray) -> np.ndarray:
    """The largest of the laws that apply, NaN where none does."""
    return np.where(np.isnan(by_law).all(0), np.nan, np.fmax.reduce(by_law))
