"""The paired difference by what is known of the cases, and whether it depends on it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from nnunet_skipx.statistics.adjustment import holm
from nnunet_skipx.statistics.covariates import categories, dependence
from nnunet_skipx.statistics.means import PairedDifference, paired_difference
from nnunet_skipx.statistics.metric import DICE
from nnunet_skipx.statistics.scores import EmptyRule, Scores, known_mean, on_equal_terms


@dataclass(frozen=True)
class Subgroup:
    """The cases of one category. one, other: means of the two rows; difference: over these cases, not adjusted."""

    category: str
    one: float
    other: float
    difference: PairedDifference


@dataclass(frozen=True)
class CovariateEffect:
    """A row against the baseline by one covariate. p: as `Dependence`, after Holm's adjustment over so many tests."""

    metric: str
    row: str
    against: str
    covariate: str
    p: float
    tests: int
    n: int
    within_patients: bool
    groups: tuple[Subgroup, ...]


def covariate_effects(
    scores: Mapping[str, Scores],
    baseline: str,
    covariates: pd.DataFrame,
    rule: EmptyRule = "scored",
    metric: str = DICE,
) -> list[CovariateEffect]:
    """Every row against the baseline by every covariate; scores: in that metric. covariates: a line per case.

    >>> from nnunet_skipx.statistics.scores import row_scores
    >>> cells = [(row, 1, case % 5, case, "liver", "Dice") for row in ("A", "B") for case in range(20)]
    >>> table = pd.DataFrame(cells, columns=["row", "replicate", "fold", "case", "label", "metric"])
    >>> table["value"] = [*np.linspace(0.8, 0.9, 20), *np.linspace(0.7, 0.85, 20)]
    >>> ages = pd.DataFrame({"age": np.linspace(20, 80, 20)}, range(20))
    >>> (effect,) = covariate_effects(row_scores(table), "A", ages)
    >>> effect.row, effect.p < 0.001, [group.difference.interval.n for group in effect.groups]
    ('B', True, [7, 6, 7])
    """
    made = []
    for row in (name for name in scores if name != baseline):
        rows = [scores[row], scores[baseline]]
        one, other = (known_mean(values, 2) for values in on_equal_terms(rows, rule)[0])
        by_case = covariates.loc[rows[0].cases.get_level_values("case")].reset_index(drop=True)
        for name in by_case:
            found = dependence(
                known_mean(one, 0) - known_mean(other, 0), by_case[name], rows[0].folds, rows[0].clusters
            )
            groups = _groups(one, other, by_case[name], rows[0])
            told = found.p, 0, found.n, found.within_patients
            made.append(CovariateEffect(metric, row, baseline, str(name), *told, groups))
    adjusted, tests = holm([effect.p for effect in made]).tolist(), sum(effect.p == effect.p for effect in made)
    return [replace(effect, p=p, tests=tests) for effect, p in zip(made, adjusted, strict=True)]


def _groups(one: np.ndarray, other: np.ndarray, covariate: pd.Series, rows: Scores) -> tuple[Subgroup, ...]:
    labels = categories(covariate)
    folds = np.array(rows.folds)
    made = []
    for category in labels.cat.categories:
        inside = (labels == category).to_numpy()
        clusters = None if rows.clusters is None else np.array(rows.clusters)[inside].tolist()
        pair = one[:, inside], other[:, inside], folds[inside].tolist()
        difference = paired_difference(*pair, sign=rows.metric.sign, clusters=clusters, span=rows.metric.span)
        first, second = (float(known_mean(known_mean(part[:, inside], 0), 0)) for part in (one, other))
        made.append(Subgroup(str(category), first, second, difference))
    return tuple(made)
