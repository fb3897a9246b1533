"""What the numbers allow to say in words, and no more: one sentence per verdict."""

import math
from collections.abc import Collection, Sequence

from nnunet_skipx.nnunet.trainer_name import FLOPSTWIN
from nnunet_skipx.report.twins import trainer_in
from nnunet_skipx.statistics.contrasts import Contrast
from nnunet_skipx.statistics.estimate import FEWEST_CASES, Training
from nnunet_skipx.statistics.means import Interval
from nnunet_skipx.statistics.scores import EmptyRule
from nnunet_skipx.statistics.text import format_p, signed_numbers
from nnunet_skipx.statistics.verdict import Reason, direction

DIFFERENCE_TEST = "t-test"
EQUIVALENCE_TEST = "two one-sided t-tests"
TRAINED = "trained network"  # of a fold; on a test set a network, or an ensemble
LAWS: dict[Training, str] = {
    "replicates": "with the trained network as a random effect{satterthwaite}",
    "folds": "over fold means or over cases, whichever has the wider interval",
    "unknown": "over cases (it does not know the noise of training, so that nothing is decided)",
}
EMPTY_RULES: dict[EmptyRule, str] = {
    "scored": "Between rows, where only some predict a class that the reference lacks, these count 0 and those that "
    "rightly predict nothing 1; where no row predicts it, the class is left out.",
    "left-out": "Between rows, a class that the reference lacks is left out even where some rows predict it.",
}


def sentence(
    contrast: Contrast,
    rope: float,
    removed: Sequence[str] = (),
    claimed: Collection[str] = (),
    trained: str = TRAINED,
) -> str:
    """The verdict on a contrast in Dice, with its difference, interval, p, test, adjustment and cases.

    removed: the ingredients that a twin lacks, empty where unknown. claimed: all that the row claims, likewise.
    trained: what all cases of a fold or test set were predicted by.
    """
    other = contrast.against + (f", its twin{without(removed)}" if contrast.kind == "twin" else "")
    if contrast.reason:
        told = f"Undecided between {contrast.row} and {other}: {_why(contrast, contrast.reason, trained)}"
    else:
        told = _told(contrast, other, rope)
    return told + _in_doubt(contrast, removed, claimed)


def how_judged(contrasts: Sequence[Contrast]) -> str:
    """What the p of a table of Dice is that of: test and adjustment."""
    law = law_words(contrasts)
    if not law:
        return "p: none, as no comparison has enough cases that differ."
    return f"p: {_tested(f'of the mean difference {law}', contrasts[0].comparisons)}."


def law_words(contrasts: Sequence[Contrast], satterthwaite: str = "") -> str:
    """How the noise of training is in the tests; empty where nothing could be tested.

    satterthwaite: what stands behind the degrees of freedom.
    """
    found = {contrast.difference.interval.training for contrast in contrasts if contrast.difference.laws}
    parts = [words.format(satterthwaite=satterthwaite) for way, words in LAWS.items() if way in found]
    if len(parts) < 2:
        return "".join(parts)
    return ", else ".join([f"{parts[0]} where both rows have replicates", *parts[1:]])


def training_caveat(contrasts: Sequence[Contrast], trained: str = TRAINED) -> str:
    """What the intervals cannot tell apart without replicates; empty where every row has them. trained: as above."""
    ways = {contrast.difference.interval.training for contrast in contrasts}
    if any(contrast.reason == "one training" for contrast in contrasts):
        more = (
            "more folds or replicates (skipx bench --replicates 3)"
            if trained == TRAINED
            else "replicates (skipx bench --replicates 3, then the same with --test)"
        )
        return (
            f"One {trained} per row: the noise of training is not in the intervals, and nothing is decided. Train "
            f"{more}."
        )
    if "folds" in ways:
        return (
            "Without replicates of every row, the noise of training is in the intervals only through the scatter "
            "between folds, where it is confounded with the folds' cases: skipx bench --replicates 3 tells them apart."
        )
    return ""


def without(removed: Sequence[str]) -> str:
    """' without attention and head'; empty where it is unknown what is removed."""
    return f" without {listed(removed)}" if removed else ""


def _told(contrast: Contrast, other: str, rope: float) -> str:
    row, interval = contrast.row, contrast.difference.interval
    differs = f"{format_p(contrast.p)}, {_tested('', contrast.comparisons)}"
    within = f"{format_p(contrast.outside)}, {_tested('', contrast.comparisons, EQUIVALENCE_TEST)}"
    numbers, cases = f"mean Dice difference {numbers_of(interval)}", cases_of(interval)
    word = contrast.verdict or "undecided"
    if word == "equivalent":
        return f"{row} and {other} are equivalent within {rope:g} Dice: {numbers}; {within}; {cases}."
    if word == "undecided":
        least = contrast.difference.detectable
        shown = f"{cases}, which could have shown {f'one of {least:.3f}' if least < 1 else 'none'}"
        told = f"Undecided between {row} and {other}: {numbers}; {differs}; {shown}."
        return f"{told} This does not show that they are equal."
    if word == direction(word):
        return f"{row} is {word} than {other}: {numbers}; {differs}; {cases}."
    return (
        f"{row} is {direction(word)} than {other}, but by less than matters ({rope:g} Dice): {numbers}; {differs}; "
        f"within: {within}; {cases}."
    )


def _why(contrast: Contrast, reason: Reason, trained: str) -> str:
    """What keeps a comparison from being decided, whatever its p."""
    interval, empties = contrast.difference.interval, contrast.empties
    if reason == "few cases":
        are = "is" if interval.n == 1 else "are"
        told = f"{cases_of(interval)} with a value {are} too few for an interval, which takes {FEWEST_CASES}"
        return f"{told}." if interval.clusters is None else f"{told} patients."
    if reason == "no scatter":
        return f"the mean Dice difference is {interval.value:+.3f} in each of {counted(interval.n, 'case')}."
    if reason == "one training":
        return (
            f"mean Dice difference {numbers_of(interval)} over {cases_of(interval)}, but of one {trained} each, "
            "which may differ by the luck of their training alone."
        )
    if reason == "undefined values":
        return f"{empties.undefined} structures have a value in one of the two only."
    other = contrast.alternative.interval if contrast.alternative else interval
    return (
        f"{empties.one} structures that the reference lacks and only one of the two predicts would decide. As counted "
        f"here the mean Dice difference is {numbers_of(interval)}, by the other rule (--empty) {numbers_of(other)}; "
        "sensitivity and specificity say more."
    )


def cases_of(interval: Interval) -> str:
    """200 cases of 100 patients; without the patients where each case counts for itself."""
    cases = counted(interval.n, "case")
    return cases if interval.clusters is None else f"{cases} of {counted(interval.clusters, 'patient')}"


def counted(count: int, what: str) -> str:
    """A number of things in words.

    >>> counted(1, "case"), counted(0, "case")
    ('1 case', '0 cases')
    """
    return f"{count} {what}{'' if count == 1 else 's'}"


def numbers_of(interval: Interval) -> str:
    """+0.012, 95 % CI +0.004 to +0.020; 'unknown' without a case that both rows have a value of."""
    if math.isnan(interval.value):
        return "unknown"
    value, low, high = signed_numbers(interval)
    if math.isnan(interval.low):
        return f"{value} without an interval"
    return f"{value}, 95 % CI {low} to {high}"


def _tested(what: str, comparisons: int, test: str = DIFFERENCE_TEST) -> str:
    """'t-test, Holm over 3 comparisons'."""
    adjusted = f", Holm over {comparisons} comparisons" if comparisons > 1 else ", one comparison"
    return f"{test}{f' {what}' if what else ''}{adjusted}"


def _in_doubt(contrast: Contrast, removed: Sequence[str], claimed: Collection[str]) -> str:
    """What a row that is not shown to be better than its twin puts in doubt: never more than the twin leaves out."""
    if contrast.kind != "twin" or direction(contrast.verdict or "undecided") == "better":
        return ""
    if not removed:
        what = f"in {contrast.row}, what its twin leaves out does"
    elif claimed and set(claimed) <= set(removed):
        what = f"the mechanism of {contrast.row} does"
    else:
        named = listed([f"the {ingredient}" for ingredient in removed])
        what = f"{named} of {contrast.row} {'does' if len(removed) == 1 else 'do'}"
    return f" So nothing here shows that {what} more than its {matched_by(contrast.against)} alone."


def matched_by(twin: str) -> str:
    """What a twin has as much of as its row.

    >>> matched_by("nnUNetTrainerXUNet_flopstwin"), matched_by("nnUNetTrainerXUNet_twin")
    ('operations', 'parameters')
    """
    return "operations" if FLOPSTWIN in trainer_in(twin).options else "parameters"


def listed(words: Sequence[str]) -> str:
    """A list in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
