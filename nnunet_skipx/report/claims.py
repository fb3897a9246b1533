"""How sure each claim is, beside its verdict: computed once, and told in the same words everywhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nnunet_skipx.statistics.contrasts import Contrast, no_ground
from nnunet_skipx.statistics.signed_rank import SignedRank, signed_rank
from nnunet_skipx.statistics.text import NONE, number


@dataclass(frozen=True)
class Claim:
    """On a row against another. false_claim: probability that the row with the higher mean is not the better one.

    NaN, and None, where nothing can be claimed.
    """

    row: str
    against: str
    kind: str
    false_claim: float
    signed_rank: SignedRank | None


def claims(contrasts: Sequence[Contrast], differences: Callable[[Contrast], np.ndarray], rope: float) -> list[Claim]:
    """A claim per contrast in Dice; differences: of the cases of a contrast, `(n,)`.

    The probability of a false claim is that of a t law with a flat prior, which is the one-sided p (Christodoulou et
    al. 2025), here of the law that knows of the trained networks, too; not adjusted for other comparisons.
    """
    return [
        Claim(
            row=contrast.row,
            against=contrast.against,
            kind=contrast.kind,
            false_claim=float("nan") if no_ground(contrast) else contrast.difference.p / 2,
            signed_rank=None if no_ground(contrast) else signed_rank(_known(differences(contrast)), rope),
        )
        for contrast in contrasts
    ]


def _known(values: np.ndarray) -> np.ndarray:
    known: np.ndarray = values[~np.isnan(values)]
    return known


def claims_table(found: Sequence[Claim]) -> pd.DataFrame:
    """A line per claim."""
    return pd.DataFrame([_line(claim) for claim in found])


def _line(claim: Claim) -> dict[str, str]:
    rank = claim.signed_rank
    return {
        "Row": claim.row,
        "Against": claim.against + (" (its twin)" if claim.kind == "twin" else ""),
        "False claim": _share(claim.false_claim),
        "Signed rank": NONE if rank is None else " / ".join(map(_share, (rank.better, rank.equivalent, rank.worse))),
    }


def _share(value: float) -> str:
    if 0 < value < 0.001:
        return "< 0.001"
    return "> 0.999" if 0.999 < value < 1 else number(value, ".3f")
