"""Which of many models differ, each from each.

`values` has one row per case and one column per model; higher is better.
"""
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata, wilcoxon

from nnunet_skipx.benchmark.paired import ALPHA, ROUNDING, holm, signed_rank_p

# scipy's wilcoxon counts exactly up to 13 cases, up to 50 where nothing ties; it decides for all columns at once.
COUNTED_CASES = 13
COUNTED_WITHOUT_TIES = 50


@dataclass(frozen=True)
class Significance:
    """All pairs, model x model. p: Holm-adjusted; sign: +1 where the column's model is the better one, -1 the row's."""

    p: pd.DataFrame
    sign: pd.DataFrame

    @property
    def decided(self) -> pd.DataFrame:
        """`sign` where p < `ALPHA`, else 0."""
        return self.sign.where(self.p < ALPHA, 0)


def significance(values: pd.DataFrame) -> Significance:
    """Wilcoxon's signed-rank test of each pair of models, two-sided, Holm-adjusted over all pairs.

    A case counts for the pairs that have it. The sign is that of the rank sums W+ - W-, since these are what the test
    compares; the mean of the differences can point the other way by one outlier, their median by many tiny ones.
    """
    table, models = values.to_numpy(dtype=float), values.columns
    differences = [table[:, first + 1 :] - table[:, [first]] for first in range(len(models))]
    pairs = np.triu_indices(len(models), 1)  # in the order of the differences
    p, sign = np.full((len(models),) * 2, np.nan), np.zeros((len(models),) * 2, dtype=int)
    p[pairs] = p.T[pairs] = holm(np.concatenate([_signed_rank_ps(block) for block in differences]))
    sign[pairs] = np.concatenate([np.sign(_signed_ranks(block).sum(0)) for block in differences])
    sign.T[pairs] = -sign[pairs]
    return Significance(pd.DataFrame(p, models, models), pd.DataFrame(sign, models, models))


def _signed_rank_ps(differences: np.ndarray) -> np.ndarray:
    """`signed_rank_p` of each column without its NaN, in one call for those whose p scipy takes from the normal law."""
    known = ~np.isnan(differences)
    rounded = _rounded(differences)
    at_once = (known.sum(0) > COUNTED_WITHOUT_TIES) & rounded.any(0)
    p = np.full(differences.shape[1], np.nan)
    if at_once.any():
        p[at_once] = wilcoxon(rounded[:, at_once], method="asymptotic", axis=0).pvalue
    for column in np.flatnonzero(~at_once):
        kept = differences[known[:, column], column]
        p[column] = _counted_p(kept) if 0 < len(kept) <= COUNTED_CASES else signed_rank_p(kept)
    return p


def _counted_p(differences: np.ndarray) -> float:
    """`signed_rank_p` of few cases `(n,)` by all 2^n signs at once; with ties scipy takes a second for it."""
    ranks = _signed_ranks(differences)
    signs = 2.0 * (np.arange(2 ** len(ranks))[:, None] >> np.arange(len(ranks)) & 1) - 1
    sums = signs @ np.abs(ranks)
    return float(min(1, 2 * min((sums >= ranks.sum()).mean(), (sums <= ranks.sum()).mean())))


def _signed_ranks(differences: np.ndarray) -> np.ndarray:
    """Rank of each |difference| in its column, with the sign of the difference; 0 for zeros and NaN."""
    rounded = _rounded(differences)
    return np.sign(rounded) * (rankdata(np.abs(rounded), axis=0) - (rounded == 0).sum(0))  # zeros rank first


def _rounded(differences: np.ndarray) -> np.ndarray:
    """Differences in units of `ROUNDING`; NaN becomes 0, which the test leaves out just the same."""
    return np.nan_to_num(np.round(differences / ROUNDING))
