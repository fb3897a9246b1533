"""Cases that are not independent, as several of one patient: what is drawn is then the patient."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Clusters:
    """What is drawn independently. count: with a known value, by column; size: the same by `(fold, column)`.

    number: of each case's cluster; None where each case is one of its own.
    """

    number: np.ndarray | None
    count: np.ndarray
    size: np.ndarray

    def squares(self, deviation: np.ndarray) -> np.ndarray:
        """Squared sums of the clusters' deviations `(case, column)`, summed, by column."""
        if self.number is not None:
            sums = np.zeros((self.number.max(initial=-1) + 1, deviation.shape[1]))
            np.add.at(sums, self.number, deviation)
            deviation = sums
        summed: np.ndarray = (deviation**2).sum(0)
        return summed


def by_cluster(known: np.ndarray, member: np.ndarray, clusters: Sequence[Hashable] | None) -> Clusters:
    """known: `(case, column)`. member: `(case, fold)`, 1 for the fold of each case. clusters: of the cases.

    >>> found = by_cluster(np.ones((3, 1), bool), np.ones((3, 1)), ["patient 1", "patient 1", "patient 2"])
    >>> found.count.tolist(), found.squares(np.array([[1.0], [2.0], [4.0]])).tolist()
    ([2], [25.0])
    """
    if clusters is None:
        return Clusters(None, known.sum(0), member.T @ known)
    number = numbered(clusters)
    there = np.zeros((number.max(initial=-1) + 1, member.shape[1], known.shape[1]), dtype=bool)
    np.logical_or.at(there, (number, member.argmax(1)), known)
    return Clusters(number, there.any(1).sum(0), there.sum(0))


def numbered(names: Sequence[Hashable]) -> np.ndarray:
    """Numbers from 0 for names, in the order in which they come.

    >>> numbered(["b", "a", "b"]).tolist()
    [0, 1, 0]
    """
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], dtype=int)
