"""What the numbers allow to say in words, and no more."""
import numpy as np

from nnunet_skipx.benchmark.paired import ALPHA
from nnunet_skipx.benchmark.summary import Contrast


def sentence(contrast: Contrast, rope: float) -> str:
    """What the interval of the difference allows to say."""
    difference, row, against = contrast.difference, contrast.row, contrast.against
    interval = difference.interval
    if np.isnan(interval.low):
        return f"{row} and {against} cannot be compared: n = {interval.n} is too few cases for an interval."
    numbers = f"{interval.value:+.3f}, 95 % CI {interval.low:+.3f} to {interval.high:+.3f}"
    if interval.low <= 0 <= interval.high:
        return f"{_nothing_shown(contrast, rope)} (mean Dice difference {numbers}).{_of_twin(contrast)}"
    word = "higher" if interval.low > 0 else "lower"
    doubt = "" if contrast.p < ALPHA else f" The signed-rank test does not confirm it (p = {contrast.p:.2g}, Holm)."
    return f"{row} reached a {word} mean Dice than {against} on these {interval.n} cases ({numbers}).{doubt}"


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


def _of_twin(contrast: Contrast) -> str:
    if contrast.kind != "twin":
        return ""
    return f" So nothing here shows that the mechanism of {contrast.row} does more than its parameters alone."
