"""Cases drawn again within their folds."""

import functools
from collections import Counter
from collections.abc import Hashable

import numpy as np

RESAMPLES = 10_000
SEED = 12345
FEWEST_IN_STRATUM = 3


@functools.lru_cache(maxsize=4)
def resampling_counts(strata: tuple[Hashable, ...]) -> np.ndarray:
    """How often each case stands in each resample, `(RESAMPLES, n)`: as many cases of each stratum as it has.

    strata: the stratum of each case, `(n,)`, for example its fold. Seeded: equal strata give the same resamples.

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


def usable_strata(strata: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    """The strata, or a single one for all where one has fewer than three cases: a single one is never drawn anew.

    >>> usable_strata((0, 0, 0, 1, 1, 1)), usable_strata((0, 0, 0, 1))
    ((0, 0, 0, 1, 1, 1), (0, 0, 0, 0))
    """
    return strata if min(Counter(strata).values(), default=0) >= FEWEST_IN_STRATUM else (0,) * len(strata)


def _numbered(strata: tuple[Hashable, ...]) -> np.ndarray:
    """The strata as numbers, in the order in which they come."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(strata))}
    return np.array([numbers[name] for name in strata])


def scaled_deviations(table: np.ndarray, strata: tuple[Hashable, ...]) -> np.ndarray:
    """Values `(n, columns)` minus the mean of their stratum of k, times sqrt(k / (k - 1)) (Rao & Wu 1988).

    >>> scaled_deviations(np.array([[1.0], [3.0]]), (0, 0)).ravel().round(3).tolist()
    [-1.414, 1.414]
    """
    names = _numbered(strata)
    scaled = np.zeros_like(table)
    for stratum in np.unique(names):
        part = table[names == stratum]
        scaled[names == stratum] = (part - part.mean(0)) * np.sqrt(len(part) / max(len(part) - 1, 1))
    return scaled
