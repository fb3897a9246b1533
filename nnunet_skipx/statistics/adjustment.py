"""Holm's adjustment of the p of several comparisons."""

import numpy as np
from numpy.typing import ArrayLike


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's step-down adjustment of p-values `(m,)`; NaN, a comparison that could not be made, stays and counts not.

    Holm (1979): the k-th smallest of m is multiplied by m - k + 1, then made not smaller than those before it.

    >>> holm([0.01, 0.04, float("nan"), 0.02]).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    p = np.asarray(p_values, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]  # NaN sorts last
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return adjusted
