"""What a comparison allows to say, in words that are defined here and used everywhere.

better, worse: the mean difference is not 0. equivalent: it lies within the region of practical equivalence (ROPE).
Both: "better, but by less than matters". Neither: undecided, which is not equal.
"""

from typing import Literal

from nnunet_skipx.statistics.estimate import ALPHA

Verdict = Literal[
    "better",
    "better, but by less than matters",
    "equivalent",
    "undecided",
    "worse, but by less than matters",
    "worse",
]
# Why a comparison is left undecided whatever its p.
Reason = Literal["", "few cases", "no scatter", "one training", "empty structures", "undefined values"]


def verdict(gain: float, p: float, outside: float) -> Verdict:
    """gain: mean difference, positive for the better. p: that it is 0; outside: that it is not within the ROPE.

    >>> verdict(0.01, 0.001, 0.9), verdict(-0.001, 0.001, 0.001), verdict(0.01, 0.2, 0.9)
    ('better', 'worse, but by less than matters', 'undecided')
    """
    differs, within = p < ALPHA, outside < ALPHA  # NaN is neither
    if differs:
        word: Literal["better", "worse"] = "better" if gain > 0 else "worse"
        return f"{word}, but by less than matters" if within else word  # type: ignore[return-value]
    return "equivalent" if within else "undecided"


def direction(word: Verdict) -> str:
    """better, worse, equivalent or undecided: by how much is left out.

    >>> direction("worse, but by less than matters")
    'worse'
    """
    return word.partition(",")[0]
