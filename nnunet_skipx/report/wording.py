"""What the numbers allow to say in words, and no more."""

from collections.abc import Collection, Sequence

import numpy as np

from nnunet_skipx.nnunet.trainer_name import FLOPSTWIN
from nnunet_skipx.report.twins import trainer_in
from nnunet_skipx.statistics.contrasts import Contrast
from nnunet_skipx.statistics.paired import ALPHA


def sentence(contrast: Contrast, rope: float, removed: Sequence[str] = (), claimed: Collection[str] = ()) -> str:
    """What the interval of the difference allows to say.

    removed: the ingredients that a twin lacks, empty where unknown. claimed: all that the row claims, likewise.
    """
    difference, row, against = contrast.difference, contrast.row, contrast.against
    interval = difference.interval
    if np.isnan(interval.low):
        return f"{row} and {against} cannot be compared: n = {interval.n} is too few cases for an interval."
    numbers = f"{interval.value:+.3f}, 95 % CI {interval.low:+.3f} to {interval.high:+.3f}"
    if interval.low <= 0 <= interval.high:
        so = _in_doubt(contrast, removed, claimed)
        return f"{_nothing_shown(contrast, rope)} (mean Dice difference {numbers}).{so}"
    word = "higher" if interval.low > 0 else "lower"
    doubt = "" if contrast.p < ALPHA else f" The signed-rank test does not confirm it (p = {contrast.p:.2g}, Holm)."
    other = f"{against}, its twin{without(removed)}," if contrast.kind == "twin" else against
    return f"{row} reached a {word} mean Dice than {other} on these {interval.n} cases ({numbers}).{doubt}"


def without(removed: Sequence[str]) -> str:
    """' without attention and head'; empty where it is unknown what is removed."""
    return f" without {_listed(removed)}" if removed else ""


def _nothing_shown(contrast: Contrast, rope: float) -> str:
    """Equal as far as it matters, or only not shown to differ: which of the two the cases allow to say."""
    difference, row, against = contrast.difference, contrast.row, contrast.against
    cases = f"at n = {difference.interval.n} cases"
    if difference.equivalence < ALPHA:
        return f"{row} and {against} are equivalent within {rope:g} Dice {cases} (p = {difference.equivalence:.2g})"
    return (
        f"No difference shown between {row} and {against} {cases}, which could have shown one of "
        f"{difference.detectable:.3f}; this does not show that they are equal"
    )


def _in_doubt(contrast: Contrast, removed: Sequence[str], claimed: Collection[str]) -> str:
    """What a twin that is not shown to be worse puts in doubt: never more than it leaves out."""
    if contrast.kind != "twin":
        return ""
    if not removed:
        what = f"in {contrast.row}, what its twin leaves out does"
    elif claimed and set(claimed) <= set(removed):
        what = f"the mechanism of {contrast.row} does"
    else:
        named = _listed([f"the {ingredient}" for ingredient in removed])
        what = f"{named} of {contrast.row} {'does' if len(removed) == 1 else 'do'}"
    matched = "operations" if FLOPSTWIN in trainer_in(contrast.against).options else "parameters"
    return f" So nothing here shows that {what} more than its {matched} alone."


def _listed(words: Sequence[str]) -> str:
    """a, b and c."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
