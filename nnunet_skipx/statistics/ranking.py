"""Ranks of many models over cases, how firm they are, and a consensus of data sets.

Values have one row per case (fold, case) and one column per model; higher is better.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm, rankdata

from nnunet_skipx.statistics.estimate import COVERAGE, FEWEST_CASES, ROUNDING, Estimates, Training, estimates
from nnunet_skipx.statistics.trainings import TINY

DRAWS = 10_000
SEED = 12345


@dataclass(frozen=True)
class Ranking:
    """Models ranked in each case, then the ranks averaged; how firm is NaN for fewer than `FEWEST_CASES` cases.

    table: model x mean_rank (1 = best in every case), low and high (its 95 % CI), place (1 = smallest mean rank, ties
    share the smaller number), kept (share of draws in which it has this place).
    places: model x place, share of draws. n: ranked cases; dropped: cases without a value of every model. training: how
    the noise of training is in it.
    """

    table: pd.DataFrame
    places: pd.DataFrame
    n: int
    dropped: int
    training: Training


@dataclass(frozen=True)
class Consensus:
    """Models by their mean place over the data sets, best first; places: model x data set, among the models of all.

    missing: the models left out, with the data sets that have no place of theirs.
    """

    mean: pd.Series
    places: pd.DataFrame
    missing: dict[str, list[str]]


def rank_models(values: pd.DataFrame, clusters: Sequence[Hashable] | None = None) -> Ranking:
    """Rank then aggregate (Wiesenfarth et al. 2021): mean ranks of trained networks, and how firm they are.

    values: a line per (fold, case), or per (replicate, fold, case): then networks of one replicate are ranked with
    each other. clusters: of the cases, in the order of the first replicate's. Intervals are the t laws of `estimates`;
    places are those of ranks that are drawn as wide as the intervals, and together as the cases let them vary.

    >>> cases = pd.MultiIndex.from_product([[0, 1], ["a", "b"]], names=["fold", "case"])
    >>> values = pd.DataFrame({"one": [0.9, 0.8, 0.9, 0.7], "other": [0.8, 0.7, 0.8, 0.8]}, cases)
    >>> rank_models(values).table["mean_rank"].to_dict()
    {'one': 1.25, 'other': 1.75}
    """
    models, scores, cases = values.columns, *_by_replicate(values)
    known = ~np.isnan(scores).any((0, 2))
    of_cases = None if clusters is None else [name for name, kept in zip(clusters, known, strict=True) if kept]
    ranks = _ranks(scores[:, known])
    folds = cases.get_level_values("fold")[known].tolist()
    found = estimates([ranks], folds, of_cases)
    mean, half = pd.Series(found.value, models), _half_widths(found)
    place = mean.rank(method="min")
    again = rankdata(_drawn_again(found.value, half, ranks), method="min", axis=1)
    low, high = np.clip([mean - half, mean + half], 1, len(models))
    kept = _share(again, place.to_numpy())
    table = pd.DataFrame({"mean_rank": mean, "low": low, "high": high, "place": place, "kept": kept})
    places = {number: _share(again, number) for number in range(1, len(models) + 1)}
    return Ranking(table, pd.DataFrame(places, models), int(known.sum()), int((~known).sum()), found.training(0))


def mean_ranks(values: pd.DataFrame) -> dict[str, float]:
    """Mean rank of each model over the cases that all have a value of, NaN without such; 1 is best.

    >>> mean_ranks(pd.DataFrame({"one": [0.9, 0.8], "other": [0.8, 0.8]}))
    {'one': 1.25, 'other': 1.75}
    """
    known = values.dropna()
    means = _ranks(known.to_numpy(dtype=float)).mean(0) if len(known) else np.full(values.shape[1], np.nan)
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


def _ranks(known: np.ndarray) -> np.ndarray:
    """Along the last axis; values that agree on paper tie, and a tie shares the mean of its ranks."""
    ranks: np.ndarray = rankdata(-np.round(known / ROUNDING), axis=-1)
    return ranks


def _by_replicate(values: pd.DataFrame) -> tuple[np.ndarray, pd.MultiIndex]:
    """Values `(replicate, case, model)`, and the cases."""
    if "replicate" not in values.index.names:
        return values.to_numpy(dtype=float)[None], values.index
    parts = [part.droplevel("replicate") for _, part in values.groupby("replicate", sort=False)]
    cases = parts[0].index
    return np.stack([part.reindex(cases).to_numpy(dtype=float) for part in parts]), cases


def _half_widths(found: Estimates) -> np.ndarray:
    """Of the intervals; 0 for a rank that is the same in every case, NaN for too few cases."""
    half = found.half_width()
    widths: np.ndarray = np.where(np.isnan(half) & (found.clusters >= FEWEST_CASES), 0.0, half)
    return widths


def _drawn_again(mean: np.ndarray, half: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Mean ranks `(DRAWS, models)` around those found: normal, 95 % within their intervals, correlated as in cases."""
    by_case = ranks.mean(0)
    deviation = by_case - by_case.mean(0) if len(by_case) else by_case
    direction = deviation / np.maximum(np.sqrt((deviation**2).sum(0)), TINY)
    normal = np.random.default_rng(SEED).standard_normal((DRAWS, len(direction))) @ direction
    drawn = np.clip(mean + normal * half / norm.ppf((1 + COVERAGE) / 2), 1, len(mean))
    rounded: np.ndarray = np.round(drawn, 9)  # equal models tie, whatever the order of sums
    return rounded


def _share(places: np.ndarray, place: ArrayLike) -> np.ndarray:
    """Share of the draws in which each model has this place, `(models,)`; NaN where nothing was drawn."""
    shares: np.ndarray = np.where(np.isnan(places), np.nan, places == place).mean(0)
    return shares
