"""How sure each claim is, beside its verdict: computed once, and told in the same words everywhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nnunet_skipx.report.wording import numbers_of
from nnunet_skipx.results.preregistration import Margin
from nnunet_skipx.statistics.contrasts import Contrast, no_ground
from nnunet_skipx.statistics.noninferiority import ONE_SIDED, NonInferiority, noninferiority
from nnunet_skipx.statistics.signed_rank import SignedRank, signed_rank
from nnunet_skipx.statistics.text import NONE, format_p, number

NONINFERIORITY_TEST = f"one-sided t-test at {100 * ONE_SIDED:g} %"


@dataclass(frozen=True)
class Claim:
    """On a row against another. false_claim: probability that the row with the higher mean is not the better one.

    NaN, and None, where nothing can be claimed. noninferior: None without a margin, and against twins.
    """

    row: str
    against: str
    kind: str
    false_claim: float
    signed_rank: SignedRank | None
    noninferior: NonInferiority | None


def claims(
    contrasts: Sequence[Contrast], differences: Callable[[Contrast], np.ndarray], rope: float, margin: Margin | None
) -> list[Claim]:
    """A claim per contrast in Dice; differences: of the cases of a contrast, `(n,)`.

    The probability of a false claim is that of a t law with a flat prior, which is the one-sided p (Christodoulou et
    al. 2025), here of the law that knows of the trained networks, too; not adjusted for other comparisons.
    """
    shown = {c.row: c for c in noninferiority(contrasts, margin.value)} if margin else {}
    return [
        Claim(
            row=contrast.row,
            against=contrast.against,
            kind=contrast.kind,
            false_claim=float("nan") if no_ground(contrast) else contrast.difference.p / 2,
            signed_rank=None if no_ground(contrast) else signed_rank(_known(differences(contrast)), rope),
            noninferior=shown.get(contrast.row) if contrast.kind == "baseline" else None,
        )
        for contrast in contrasts
    ]


def _known(values: np.ndarray) -> np.ndarray:
    known: np.ndarray = values[~np.isnan(values)]
    return known


def claims_table(found: Sequence[Claim], margin: Margin | None) -> pd.DataFrame:
    """A line per claim."""
    return pd.DataFrame([_line(claim, margin) for claim in found])


def _line(claim: Claim, margin: Margin | None) -> dict[str, str]:
    rank = claim.signed_rank
    return {
        "Row": claim.row,
        "Against": claim.against + (" (its twin)" if claim.kind == "twin" else ""),
        "False claim": _share(claim.false_claim),
        "Signed rank": NONE if rank is None else " / ".join(map(_share, (rank.better, rank.equivalent, rank.worse))),
        **({f"Margin {margin.value:g}": _shown(claim.noninferior)} if margin else {}),
    }


def _shown(claim: NonInferiority | None) -> str:
    if claim is None:
        return NONE
    return f"{'shown' if claim.shown else 'not shown'}, {claim.reason or format_p(claim.p)}"


def _share(value: float) -> str:
    if 0 < value < 0.001:
        return "< 0.001"
    return "> 0.999" if 0.999 < value < 1 else number(value, ".3f")


def noninferiority_sentence(claim: NonInferiority, margin: Margin) -> str:
    """What the margin allows to say of a row and the baseline."""
    adjusted = f"Holm over {claim.comparisons} comparisons" if claim.comparisons > 1 else "one comparison"
    tested = claim.reason or f"{format_p(claim.p)}, {NONINFERIORITY_TEST}, {adjusted}"
    what = f"not worse than {claim.against} by more than the margin ({claim.margin:g} Dice, {margin.origin})"
    how = f"mean Dice difference {numbers_of(claim.difference.interval)}; {tested}."
    return f"{claim.row} is {what}: {how}" if claim.shown else f"Not shown that {claim.row} is {what}: {how}"
