"""Whether a paired difference depends on what is known of the cases: a centre, a scanner, an age."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import f, rankdata

from nnunet_skipx.statistics.trainings import membership

FEWEST_FREE = 5  # degrees of freedom of the rest, below which nothing is tested
MOST_VALUES = 5  # numbers with more different values are cut into thirds to be shown, and tested as numbers


@dataclass(frozen=True)
class Dependence:
    """F-test that the difference does not depend on the covariate. p: NaN where nothing can be tested.

    n: cases, or patients. within_patients: whether the covariate varies within patients, and is compared there.
    """

    p: float
    n: int
    within_patients: bool


def dependence(
    difference: np.ndarray,
    covariate: pd.Series,
    folds: Sequence[Hashable],
    clusters: Sequence[Hashable] | None = None,
) -> Dependence:
    """Of one difference per case `(n,)`, NaN left out, on a covariate: numbers, or categories as text.

    The ranks of the differences are fitted by the covariate (the ranks of numbers, or categories) beside an effect of
    every fold, so that the luck of a fold's network is not taken for the covariate's. A patient counts once, with the
    mean of his cases; where the covariate varies within patients, these (in a fold) take the place of folds.

    >>> age = pd.Series(np.arange(40.0))
    >>> dependence(0.01 * np.arange(40) % 0.07, age, [case % 5 for case in range(40)]).p > 0.05
    True
    >>> dependence(0.001 * np.arange(40.0), age, [case % 5 for case in range(40)]).p < 0.001
    True
    """
    known = ~np.isnan(difference)
    names = pd.Series(range(len(difference)) if clusters is None else list(clusters))
    lines = pd.DataFrame({"y": difference, "x": covariate.to_numpy(), "fold": folds, "unit": names})[known]
    varies = clusters is not None and bool((lines.groupby("unit")["x"].nunique() > 1).any())
    if clusters is not None and not varies:
        lines = lines.groupby(["fold", "unit"], sort=False, as_index=False).agg({"y": "mean", "x": "first"})
    blocks = lines["fold"].tolist()
    if varies:
        blocks = list(zip(blocks, lines["unit"], strict=True))
    return Dependence(_p(lines, blocks), len(lines), varies)


def _p(lines: pd.DataFrame, blocks: Sequence[Hashable]) -> float:
    """Of an F-test of the covariate beside the blocks, on ranks."""
    numeric = pd.api.types.is_numeric_dtype(lines["x"]) and lines["x"].nunique() > MOST_VALUES
    design = rankdata(lines["x"])[:, None] if numeric else membership(lines["x"].tolist())
    x, y = _without_means(design, blocks), _without_means(rankdata(lines["y"])[:, None], blocks)
    terms = int(np.linalg.matrix_rank(x)) if x.size else 0
    free = len(lines) - len(set(blocks)) - terms
    if terms == 0 or free < FEWEST_FREE:
        return float("nan")
    fitted = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    explained, rest = float((fitted**2).sum()), float(((y - fitted) ** 2).sum())
    return float(f.sf(explained / terms * free / rest, terms, free)) if rest > 0 else float(explained == 0)


def _without_means(values: np.ndarray, blocks: Sequence[Hashable]) -> np.ndarray:
    """Values `(line, column)` minus the mean of their block."""
    member = membership(blocks)
    left: np.ndarray = values - member @ (member.T @ values / member.sum(0)[:, None])
    return left


def categories(covariate: pd.Series) -> pd.Series:
    """The category of each case: itself, or the third that a number lies in, named by its ends; in their order.

    >>> categories(pd.Series([1.0, 2, 3, 4, 5, 6])).cat.categories.tolist()
    ['1 to 2', '3 to 4', '5 to 6']
    >>> categories(pd.Series(["b", "a"])).cat.categories.tolist()
    ['a', 'b']
    """
    if not pd.api.types.is_numeric_dtype(covariate):
        return covariate.astype("category")
    if covariate.nunique() <= MOST_VALUES:
        order = [f"{value:g}" for value in sorted(covariate.unique())]
        return covariate.map("{:g}".format).astype(pd.CategoricalDtype(order, ordered=True))
    third = pd.qcut(covariate, 3, labels=False, duplicates="drop")
    ends = covariate.groupby(third).agg(["min", "max"])
    names = {number: f"{low:g} to {high:g}" if low < high else f"{low:g}" for number, low, high in ends.itertuples()}
    return third.map(names).astype(pd.CategoricalDtype(list(names.values()), ordered=True))
