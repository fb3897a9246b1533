"""One difference over several data sets: a random-effects model, in which data sets are a sample, too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import t

from nnunet_skipx.statistics.adjustment import holm
from nnunet_skipx.statistics.contrasts import Contrast
from nnunet_skipx.statistics.estimate import COVERAGE
from nnunet_skipx.statistics.t_law import TLaw
from nnunet_skipx.statistics.verdict import Verdict, verdict


@dataclass(frozen=True)
class Pooled:
    """A row against the baseline over data sets.

    value, low, high: mean difference over data sets, with its 95 % CI. between: SD of data sets' true differences.
    next_low, next_high: 95 % prediction interval of a further data set; NaN for two. p, outside, verdict: as those of a
    contrast, after Holm's adjustment over the rows.
    """

    row: str
    against: str
    datasets: tuple[str, ...]
    value: float
    low: float
    high: float
    between: float
    next_low: float
    next_high: float
    p: float
    outside: float
    verdict: Verdict


def pooled(found: Mapping[str, Sequence[Contrast]], rope: float) -> list[Pooled]:
    """Data set -> contrasts: every pair of row and baseline that two data sets or more have an interval of.

    >>> import pandas as pd
    >>> from nnunet_skipx.statistics.contrasts import contrasts
    >>> cells = [(row, 1, case % 5, case, "liver", "Dice") for row in ("A", "B") for case in range(10)]
    >>> table = pd.DataFrame(cells, columns=["row", "replicate", "fold", "case", "label", "metric"])
    >>> table["value"] = [*np.linspace(0.8, 0.9, 10), *np.linspace(0.7, 0.85, 10)]
    >>> (found,) = pooled({"Heart": contrasts(table, "B"), "Liver": contrasts(table, "B")}, rope=0.003)
    >>> found.row, round(found.value, 3), found.between, found.verdict
    ('A', 0.075, 0.0, 'better')
    """
    pairs: dict[tuple[str, str], dict[str, Contrast]] = {}
    for dataset, contrasts in found.items():
        for contrast in contrasts:
            if contrast.kind == "baseline" and not contrast.reason and contrast.difference.laws:
                pairs.setdefault((contrast.row, contrast.against), {})[dataset] = contrast
    made = [_of_pair(*pair, by_dataset, rope) for pair, by_dataset in pairs.items() if len(by_dataset) > 1]
    p, outside = (holm([getattr(one, name) for one in made]).tolist() for name in ("p", "outside"))
    return [
        replace(one, p=a, outside=b, verdict=verdict(one.value, a, b))
        for one, a, b in zip(made, p, outside, strict=True)
    ]


def _of_pair(row: str, against: str, by_dataset: Mapping[str, Contrast], rope: float) -> Pooled:
    differences = [contrast.difference for contrast in by_dataset.values()]
    errors = [
        max(difference.laws, key=lambda law: float(t.ppf(0.975, law[1])) * law[0])[0] for difference in differences
    ]
    mean, error, between = random_effects([difference.interval.value for difference in differences], errors)
    freedom = len(errors) - 1
    law = TLaw(mean, error, freedom)
    # Higgins, Thompson & Spiegelhalter 2009
    further = float(t.ppf((1 + COVERAGE) / 2, freedom - 1)) * np.hypot(error, between) if freedom > 1 else float("nan")
    ends = *law.interval(), between, mean - further, mean + further
    return Pooled(row, against, tuple(by_dataset), mean, *ends, law.p(), law.p_outside(rope), "undecided")


def random_effects(values: ArrayLike, errors: ArrayLike) -> tuple[float, float, float]:
    """(mean, its standard error, SD between data sets) of two or more estimates `(k,)` with standard errors.

    Variance between data sets after Paule & Mandel (1982), error after Hartung & Knapp (2001), never below that of a
    model without it (Röver et al. 2015); the t law has k - 1 degrees of freedom.

    >>> tuple(round(x, 4) for x in random_effects([0.01, 0.01], [0.002, 0.002]))
    (0.01, 0.0014, 0.0)
    """
    y, variance = np.asarray(values, dtype=float), np.asarray(errors, dtype=float) ** 2
    freedom = len(y) - 1

    def excess(between: float) -> float:
        weight = 1 / (variance + between)
        return float((weight * (y - np.average(y, weights=weight)) ** 2).sum()) - freedom

    between = float(brentq(excess, 0, freedom * np.ptp(y) ** 2 + variance.max())) if excess(0) > 0 else 0.0
    weight = 1 / (variance + between)
    mean = float(np.average(y, weights=weight))
    scale = max(float((weight * (y - mean) ** 2).sum()) / freedom, 1.0)
    return mean, float(np.sqrt(scale / weight.sum())), float(np.sqrt(between))
