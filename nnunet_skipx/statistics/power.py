"""What a study could show, before it is trained: studies are drawn, and judged as the report would judge them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nnunet_skipx.statistics.estimate import ALPHA, POWER, Estimates, estimates

STUDIES = 4_000
AT_ONCE = 2_000_000  # values
SEED = 12345
MOST_CASES = 400  # more are drawn as this many that scatter less: their degrees of freedom no longer matter
PRECISION = 1e-5  # of a difference in Dice


@dataclass(frozen=True)
class Scatter:
    """What is assumed. paired_sd: of a case's difference between two trained networks of two rows, within a fold.

    of_training: the share of its variance that another training would draw anew. seed_sd: of the mean Dice on a fold
    of networks that were trained again, beyond what its cases explain.
    """

    paired_sd: float
    seed_sd: float
    of_training: float = 0.5


@dataclass(frozen=True)
class Design:
    """A study of two rows: cases altogether, folds of nearly one size, trainings of each row and fold."""

    cases: int
    folds: int
    replicates: int


def drawn(design: Design, scatter: Scatter, studies: int = STUDIES) -> Estimates:
    """Estimates of the difference between two equal architectures, a column per study.

    >>> found = drawn(Design(40, 5, 3), Scatter(0.015, 0.002), studies=100)
    >>> found.value.shape, bool((found.p() < 0.05).mean() < 0.2)
    ((100,), True)
    """
    rng, at_once = np.random.default_rng(SEED), max(1, AT_ONCE // (design.cases * design.replicates))
    parts = [_drawn(design, scatter, min(at_once, studies - start), rng) for start in range(0, studies, at_once)]
    value, sd, n, clusters, error, freedom = (
        np.concatenate([getattr(part, name) for part in parts], axis=-1)
        for name in ("value", "sd", "n", "clusters", "error", "freedom")
    )
    return Estimates(value, sd, n, clusters, error, freedom, parts[0].replicated)


def _drawn(design: Design, scatter: Scatter, studies: int, rng: np.random.Generator) -> Estimates:
    cases = min(design.cases, MOST_CASES)
    paired_sd = scatter.paired_sd * np.sqrt(cases / design.cases)
    folds = np.arange(cases) % design.folds
    own = rng.normal(0, paired_sd * np.sqrt(1 - scatter.of_training), (cases, studies))
    rest = paired_sd * np.sqrt(scatter.of_training / 2)
    rows = [
        rng.normal(0, scatter.seed_sd, (design.replicates, design.folds, studies))[:, folds]
        + rng.normal(0, rest, (design.replicates, cases, studies))
        for _ in range(2)
    ]
    return estimates([rows[0] + own, rows[1]], folds.tolist())


def detectable(found: Estimates, comparisons: int = 1) -> float:
    """The difference that 80 % of the drawn studies find, however the other comparisons end (Holm); NaN for none.

    None is found with one trained network per row, which decides nothing.

    >>> found = drawn(Design(40, 5, 3), Scatter(0.015, 0.0), studies=400)
    >>> 0.004 < detectable(found) < detectable(found, comparisons=3) < 0.02
    True
    """
    if found.training(0) == "unknown":
        return float("nan")
    return _smallest(lambda by: replace(found, value=found.value + by).p() < ALPHA / comparisons)


def power(found: Estimates, difference: float, comparisons: int = 1) -> float:
    """Share of the drawn studies that find a difference.

    >>> found = drawn(Design(40, 5, 3), Scatter(0.015, 0.0), studies=400)
    >>> power(found, detectable(found)) >= 0.79
    True
    """
    return float((replace(found, value=found.value + difference).p() < ALPHA / comparisons).mean())


def margin_power(found: Estimates, margin: float, comparisons: int = 1) -> float:
    """Share of the drawn studies of equal architectures that show one not worse by more than the margin.

    >>> found = drawn(Design(40, 5, 3), Scatter(0.015, 0.0), studies=400)
    >>> margin_power(found, 0.0) < 0.06 < 0.9 < margin_power(found, 0.02)
    True
    """
    return float((found.p_below(-margin) < ALPHA / 2 / comparisons).mean())


def _smallest(shown: Callable[[float], np.ndarray]) -> float:
    """The smallest value at which 80 % of the studies show something; NaN where no value is large enough."""
    low, high = 0.0, 1.0
    if shown(high).mean() < POWER:
        return float("nan")
    while high - low > PRECISION:
        middle = (low + high) / 2
        low, high = (low, middle) if shown(middle).mean() >= POWER else (middle, high)
    return high
