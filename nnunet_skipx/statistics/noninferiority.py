"""Whether a row is not worse than another by more than a margin that was given beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass

from nnunet_skipx.statistics.adjustment import holm
from nnunet_skipx.statistics.contrasts import Contrast, no_ground
from nnunet_skipx.statistics.estimate import ALPHA
from nnunet_skipx.statistics.means import PairedDifference
from nnunet_skipx.statistics.metric import metric_of, require_margin
from nnunet_skipx.statistics.verdict import Reason

ONE_SIDED = ALPHA / 2  # then it is shown where, without adjustment, the 95 % interval lies above minus the margin


@dataclass(frozen=True)
class NonInferiority:
    """p: one-sided t-test that the row is worse by the margin or more, after Holm's adjustment over the `comparisons`.

    metric: which the margin is in. shown: p < 2.5 %, whichever way empty structures count. reason: what forbids to
    tell, whatever the p.
    """

    row: str
    against: str
    metric: str
    margin: float
    difference: PairedDifference
    p: float
    comparisons: int
    shown: bool
    reason: Reason


def noninferiority(found: Sequence[Contrast], margin: float) -> list[NonInferiority]:
    """Every contrast with the baseline in one metric; margin: positive, in its unit, whichever way is better.

    Raises ValueError for a metric of which neither is.

    >>> import numpy as np, pandas as pd
    >>> from nnunet_skipx.statistics.contrasts import contrasts
    >>> cells = [(row, 1, case % 5, case, "liver", "Dice") for row in ("A", "B") for case in range(10)]
    >>> table = pd.DataFrame(cells, columns=["row", "replicate", "fold", "case", "label", "metric"])
    >>> table["value"] = [*np.linspace(0.8, 0.9, 10), *np.linspace(0.799, 0.901, 10)]
    >>> [claim.shown for claim in noninferiority(contrasts(table, baseline="A"), 0.01)]
    [True]
    """
    planned = [contrast for contrast in found if contrast.kind == "baseline"]
    for contrast in planned[:1]:
        require_margin(margin, contrast.metric)
    p = holm([_p(c, c.difference, margin) for c in planned]).tolist()
    otherwise = holm([_p(c, c.alternative or c.difference, margin) for c in planned]).tolist()
    tested = sum(value == value for value in p)
    return [_claim(*parts, margin, tested) for parts in zip(planned, p, otherwise, strict=True)]


def _p(contrast: Contrast, difference: PairedDifference, margin: float) -> float:
    """That the first row is worse by the margin or more."""
    return difference.p_below(-margin, metric_of(contrast.metric).sign)


def _claim(contrast: Contrast, p: float, otherwise: float, margin: float, comparisons: int) -> NonInferiority:
    shown = p < ONE_SIDED
    reason = no_ground(contrast)
    if not reason and shown:
        undefined = contrast.empties.undefined > 0
        reason = "undefined values" if undefined else "empty structures" if not otherwise < ONE_SIDED else ""
    return NonInferiority(
        row=contrast.row,
        against=contrast.against,
        metric=contrast.metric,
        margin=margin,
        difference=contrast.difference,
        p=p,
        comparisons=comparisons,
        shown=shown and not reason,
        reason=reason,
    )
