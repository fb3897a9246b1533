"""Which of many models differ, each from each.

`values` has one row per case and one column per model; higher is better.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

from nnunet_skipx.statistics.paired import ALPHA, ROUNDING, holm, signed_rank_p, signed_ranks

COUNTED_WITHOUT_TIES = 50  # up to here scipy's wilcoxon counts where nothing ties, deciding for all columns at once


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

    >>> one = np.linspace(0.7, 0.9, 8)
    >>> found = significance(pd.DataFrame({"one": one, "other": one + 0.01}))
    >>> float(found.p.loc["one", "other"]), int(found.decided.loc["one", "other"])
    (0.0078125, 1)
    """
    table, models = values.to_numpy(dtype=float), values.columns
    differences = [table[:, first + 1 :] - table[:, [first]] for first in range(len(models))]
    pairs = np.triu_indices(len(models), 1)  # in the order of the differences
    p, sign = np.full((len(models),) * 2, np.nan), np.zeros((len(models),) * 2, dtype=int)
    p[pairs] = p.T[pairs] = holm(np.concatenate([_signed_rank_ps(block) for block in differences]))
    sign[pairs] = np.concatenate([np.sign(signed_ranks(block).sum(0)) for block in differences])
    sign.T[pairs] = -sign[pairs]
    return Significance(pd.DataFrame(p, models, models), pd.DataFrame(sign, models, models))


def _signed_rank_ps(differences: np.ndarray) -> np.ndarray:
    """`signed_rank_p` of each column without its NaN, in one call for those whose p scipy takes from the normal law."""
    known = ~np.isnan(differences)
    rounded = np.nan_to_num(np.round(differences / ROUNDING))  # the test leaves zeros out, as it should NaN
    at_once = (known.sum(0) > COUNTED_WITHOUT_TIES) & rounded.any(0)
    p = np.full(differences.shape[1], np.nan)
    if at_once.any():
        p[at_once] = wilcoxon(rounded[:, at_once], method="asymptotic", axis=0).pvalue
    for column in np.flatnonzero(~at_once):
        p[column] = signed_rank_p(differences[known[:, column], column])
    return p
