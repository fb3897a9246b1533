"""The bad cases, which a mean hides: low percentiles, failures, and failures of one row where another is right."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from nnunet_skipx.statistics.clusters import numbered
from nnunet_skipx.statistics.metric import DICE

LOW = 0.05  # the percentile, as a share, where more is better; the upper one where less is
FAILURE = {DICE: 0.5}  # a value beyond which a case counts as failed, by metric
WORST = 5  # cases that are listed


@dataclass(frozen=True)
class Tail:
    """One row. worst: 5th percentile of the n cases, 95th where less is better.

    failures: cases beyond the threshold; None without one.
    """

    row: str
    worst: float
    failures: int | None
    n: int


@dataclass(frozen=True)
class PairedFailures:
    """Cases (patients, where cases are of some) that fail in one of two rows only; p: McNemar's exact test."""

    only_one: int
    only_other: int
    both: int
    n: int
    p: float


def tails(values: pd.DataFrame, threshold: float | None = FAILURE[DICE], sign: int = 1) -> list[Tail]:
    """values: a line per case, a column per row; NaN is left out. sign: +1 where more is better, -1 where less is.

    >>> tails(pd.DataFrame({"A": [0.25, 0.25, 0.8, np.nan]}))
    [Tail(row='A', worst=0.25, failures=2, n=3)]
    """
    share = LOW if sign > 0 else 1 - LOW
    return [
        Tail(
            row=str(row),
            worst=float(known.quantile(share)),
            failures=None if threshold is None else int((sign * known < sign * threshold).sum()),
            n=len(known),
        )
        for row, known in ((row, values[row].dropna()) for row in values)
    ]


def paired_failures(
    one: np.ndarray,
    other: np.ndarray,
    threshold: float = FAILURE[DICE],
    clusters: Sequence[Hashable] | None = None,
    sign: int = 1,
) -> PairedFailures:
    """One value per case `(n,)` of two rows; a pair with a NaN is left out. sign: as of `tails`.

    A patient fails where one of his cases does. The test takes the trained networks as given: it is of their failures,
    not of what their architectures do.

    >>> paired_failures(np.array([0.1, 0.2, 0.3, 0.9]), np.array([0.9, 0.8, 0.9, 0.1]))
    PairedFailures(only_one=3, only_other=1, both=0, n=4, p=0.625)
    """
    known = ~np.isnan(one) & ~np.isnan(other)
    number = np.arange(len(one)) if clusters is None else numbered(clusters)
    there, number = np.unique(number[known], return_inverse=True)
    worst = np.full((2, len(there)), np.inf)
    for row, values in enumerate((one, other)):
        np.minimum.at(worst[row], number, sign * values[known])
    fails, also = worst < sign * threshold
    only_one, only_other = int((fails & ~also).sum()), int((also & ~fails).sum())
    apart = only_one + only_other
    p = float(binomtest(only_one, apart).pvalue) if apart else 1.0
    return PairedFailures(only_one, only_other, int((fails & also).sum()), len(there), p)


def worst_cases(values: pd.DataFrame, count: int = WORST) -> pd.DataFrame:
    """The lines whose worst row is worst: the cases in which something went wrong in any row, beside all others.

    >>> values = pd.DataFrame({"A": [0.9, 0.2, 0.8], "B": [0.1, 0.9, 0.8]}, ["a", "b", "c"])
    >>> worst_cases(values, 2).index.tolist()
    ['a', 'b']
    """
    return values.loc[values.min(axis=1).sort_values(kind="stable").index[:count]]
