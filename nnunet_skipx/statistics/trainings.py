"""The noise of training: how much the networks of one architecture differ that were trained again on the same fold."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class TrainingNoise:
    """Of one row, by column. In `(replicate, case)` values, a case's level, its network's and a rest add up.

    of_mean: variance that the networks add to the mean over cases and replicates, below 0 by chance. between: what it
    is estimated from, the scatter of the replicates' fold means, with `freedom` degrees of freedom.
    sd: of trained networks, 0 where they scatter less than their cases explain. icc: the share of that variance in the
    variance of all values of a fold, 0 to 1.
    """

    of_mean: np.ndarray
    between: np.ndarray
    freedom: np.ndarray
    sd: np.ndarray
    icc: np.ndarray


def training_noise(values: np.ndarray, member: np.ndarray) -> TrainingNoise:
    """From two replicates or more; cases that lack a value in one of them are left out.

    values: `(replicate, case, column)`. member: `(case, fold)`, 1 for the fold of each case; a fold is a network.

    >>> values = np.array([[0.8, 0.9], [0.6, 0.7]])[..., None]
    >>> training_noise(values, membership([0, 0])).sd.round(3).tolist()  # of 0.85 and 0.65
    [0.141]
    """
    replicates = len(values)
    known = ~np.isnan(values).any(0)
    size = member.T @ known  # (fold, column)
    filled = np.where(known, values, 0.0)
    fold_mean = np.einsum("cf,rcs->rfs", member, filled) / np.maximum(size, 1)
    scatter = fold_mean.var(0, ddof=1)
    effect = np.einsum("cf,rfs->rcs", member, fold_mean - fold_mean.mean(0))
    rest = ((known * (filled - filled.mean(0) - effect)) ** 2).sum((0, 1))
    rest = rest / np.maximum(np.maximum(size - 1, 0).sum(0) * (replicates - 1), 1)
    n = np.maximum(size.sum(0), 1)
    weight = (size / n) ** 2
    between = (weight * scatter).sum(0) / replicates
    of_mean = between - rest / (n * replicates)
    freedom = (replicates - 1) * weight.sum(0) ** 2 / np.maximum((weight**2).sum(0), TINY)
    network = np.maximum(of_mean, 0) * replicates / np.maximum(weight.sum(0), TINY)
    spread = (known * (filled - np.einsum("cf,rfs->rcs", member, fold_mean)) ** 2).sum((0, 1))
    cases = spread / np.maximum(np.maximum(size - 1, 0).sum(0) * replicates, 1)
    return TrainingNoise(of_mean, between, freedom, np.sqrt(network), network / np.maximum(network + cases, TINY))


def membership(folds: Sequence[Hashable]) -> np.ndarray:
    """`(case, fold)`: 1 for the fold of each case, folds in the order in which they come.

    >>> membership(["fold 1", "fold 0", "fold 1"]).tolist()
    [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    """
    numbers = {name: number for number, name in enumerate(dict.fromkeys(folds))}
    member = np.zeros((len(folds), len(numbers)))
    member[np.arange(len(folds)), [numbers[fold] for fold in folds]] = 1
    return member
