"""Ranks of many models over cases, how firm they are, and a consensus of data sets.

Values have one row per case (fold, case) and one column per model; higher is better.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from nnunet_skipx.statistics.bootstrap import RESAMPLES, resampling_counts, scaled_deviations, usable_strata
from nnunet_skipx.statistics.estimate import COVERAGE, FEWEST_CASES, ROUNDING


@dataclass(frozen=True)
class Ranking:
    """Models ranked in each case, then the ranks averaged; how firm is NaN for fewer than `FEWEST_CASES` cases.

    table: model x mean_rank (1 = best in every case), low and high (its 95 % CI), place (1 = smallest mean rank, ties
    share the smaller number), kept (share of resamples in which it has this place).
    places: model x place, share of resamples. n: ranked cases; dropped: cases without a value of every model.
    """

    table: pd.DataFrame
    places: pd.DataFrame
    n: int
    dropped: int


@dataclass(frozen=True)
class Consensus:
    """Models by their mean place over the data sets, best first; places: model x data set, among the models of all.

    missing: the models left out, with the data sets that have no place of theirs.
    """

    mean: pd.Series
    places: pd.DataFrame
    missing: dict[str, list[str]]


def rank_models(values: pd.DataFrame) -> Ranking:
    """Rank then aggregate (Wiesenfarth et al. 2021): mean ranks, and how firm they are when cases are drawn again.

    Percentile intervals of the bootstrap over the cases of each fold, or over all where a fold has fewer than three.
    They cover the choice of cases, not the randomness of training.

    >>> cases = pd.MultiIndex.from_product([[0, 1], ["a", "b"]], names=["fold", "case"])
    >>> values = pd.DataFrame({"one": [0.9, 0.8, 0.9, 0.7], "other": [0.8, 0.7, 0.8, 0.8]}, cases)
    >>> rank_models(values).table["mean_rank"].to_dict()
    {'one': 1.25, 'other': 1.75}
    """
    known, models = values.dropna(), values.columns
    ranks = _ranks(known)
    mean = pd.DataFrame(ranks, columns=models).mean()
    place = mean.rank(method="min")
    strata = usable_strata(tuple(known.index.get_level_values("fold")))
    low, high = _mean_rank_ends(ranks, strata)
    again = rankdata(_resampled_means(ranks, strata), method="min", axis=1)
    kept = _share(again, place.to_numpy())
    table = pd.DataFrame({"mean_rank": mean, "low": low, "high": high, "place": place, "kept": kept})
    places = {number: _share(again, number) for number in range(1, len(models) + 1)}
    return Ranking(table, pd.DataFrame(places, models), len(known), len(values) - len(known))


def mean_ranks(values: pd.DataFrame) -> dict[str, float]:
    """Mean rank of each model over the cases that all have a value of, NaN without such; 1 is best.

    >>> mean_ranks(pd.DataFrame({"one": [0.9, 0.8], "other": [0.8, 0.8]}))
    {'one': 1.25, 'other': 1.75}
    """
    known = values.dropna()
    means = _ranks(known).mean(0) if len(known) else np.full(values.shape[1], np.nan)
    return {str(name): float(mean) for name, mean in zip(values.columns, means, strict=True)}


def consensus(places: Mapping[str, Mapping[str, float]]) -> Consensus:
    """Data set -> model -> place or mean rank, as the order by mean place of the models that every data set has.

    It has the smallest sum of squared distances to the data sets' rankings, as the Euclidean consensus of challengeR
    (Wiesenfarth et al. 2021). Models are ranked anew among those of all data sets; ties share the mean of their places.

    >>> found = consensus({"A": {"one": 1, "other": 2, "third": 3}, "B": {"one": 1, "third": 2}})
    >>> found.mean.to_dict(), found.missing
    ({'one': 1.0, 'third': 2.0}, {'other': ['B']})
    """
    table = pd.DataFrame({name: pd.Series(dict(column), dtype=float) for name, column in places.items()})
    missing = {model: list(table.columns[row.isna()]) for model, row in table.iterrows() if row.isna().any()}
    common = table.dropna().rank()
    mean = common.mean(axis=1).sort_values(kind="stable")
    return Consensus(mean, common.loc[mean.index], missing)


def _ranks(known: pd.DataFrame) -> np.ndarray:
    """`(case, model)`; values that agree on paper tie, and a tie shares the mean of its ranks."""
    ranks: np.ndarray = rankdata(-np.round(known.to_numpy(dtype=float) / ROUNDING), axis=1)
    return ranks


def _mean_rank_ends(ranks: np.ndarray, strata: tuple[Hashable, ...]) -> np.ndarray:
    """Percentile ends `(2, models)`; deviations in folds of k are scaled by sqrt(k / (k - 1))."""
    scaled = scaled_deviations(ranks, strata)
    ends = np.quantile(_resampled_means(scaled, strata), [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2], axis=0)
    clipped: np.ndarray = np.clip(ranks.sum(0) / max(len(ranks), 1) + ends, 1, ranks.shape[1])
    return clipped


def _resampled_means(values: np.ndarray, strata: tuple[Hashable, ...]) -> np.ndarray:
    """Means `(RESAMPLES, models)`, NaN for too few cases; sums of ranks are exact, so equal ones tie."""
    if len(values) < FEWEST_CASES:
        return np.full((RESAMPLES, values.shape[1]), np.nan)
    means: np.ndarray = resampling_counts(strata) @ values / len(values)
    return means


def _share(places: np.ndarray, place: ArrayLike) -> np.ndarray:
    """Share of the resamples in which each model has this place, `(models,)`; NaN where nothing was resampled."""
    shares: np.ndarray = np.where(np.isnan(places), np.nan, places == place).mean(0)
    return shares
