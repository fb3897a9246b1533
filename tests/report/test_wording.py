"""wording: one sentence per verdict, with test and adjustment wherever a p stands."""

import math
import re
from typing import Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.report.wording import how_judged, numbers_of, sentence, training_caveat, without
from nnunet_skipx.statistics.contrasts import Contrast
from nnunet_skipx.statistics.estimate import Training
from nnunet_skipx.statistics.means import Interval, PairedDifference
from nnunet_skipx.statistics.scores import Empties
from nnunet_skipx.statistics.text import format_p
from nnunet_skipx.statistics.verdict import Reason, Verdict, direction

ROPE = 0.003
CLAIMED = ("reinjection", "attention", "head")
VERDICTS = st.sampled_from(get_args(Verdict))
KINDS = st.sampled_from(["baseline", "twin"])
NAN = math.nan


def contrast(
    verdict: Verdict = "undecided",
    p: float = 0.012,
    n: int = 40,
    kind: Literal["baseline", "twin"] = "baseline",
    against: str = "Old",
    reason: Reason = "",
    ends: tuple[float, float] = (0.01, 0.02),
    comparisons: int = 3,
    training: Training = "replicates",
) -> Contrast:
    """`p` is the adjusted one; that of the difference itself, before Holm, would always convince."""
    interval = Interval(sum(ends) / 2, *ends, 0.1, n, 0, training)
    difference = PairedDifference(interval, 1e-6, 1e-6, 0.0123, n, 0, 0, () if reason == "few cases" else ((0.1, 9.0),))
    empties = Empties(one=7, undefined=5)
    return Contrast("New", against, kind, difference, p, 0.034, comparisons, verdict, reason, empties, difference)


def in_doubt(removed: tuple[str, ...], claimed: tuple[str, ...] = CLAIMED, against: str = "New_twin") -> str:
    """The end of the sentence about a twin that is not shown to be worse."""
    text = sentence(contrast(kind="twin", against=against), ROPE, removed, claimed)
    return text.partition("So nothing here shows that ")[2]


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        (
            "better",
            "New is better than Old: mean Dice difference +0.015, 95 % CI +0.010 to +0.020; p = 0.012, t-test, Holm "
            "over 3 comparisons; 40 cases.",
        ),
        (
            "worse, but by less than matters",
            "New is worse than Old, but by less than matters (0.003 Dice): mean Dice difference +0.015, 95 % CI +0.010 "
            "to +0.020; p = 0.012, t-test, Holm over 3 comparisons; within: p = 0.034, two one-sided t-tests, Holm "
            "over 3 comparisons; 40 cases.",
        ),
        (
            "equivalent",
            "New and Old are equivalent within 0.003 Dice: mean Dice difference +0.015, 95 % CI +0.010 to +0.020; "
            "p = 0.034, two one-sided t-tests, Holm over 3 comparisons; 40 cases.",
        ),
        (
            "undecided",
            "Undecided between New and Old: mean Dice difference +0.015, 95 % CI +0.010 to +0.020; p = 0.012, t-test, "
            "Holm over 3 comparisons; 40 cases, which could have shown one of 0.012. This does not show that they are "
            "equal.",
        ),
    ],
)
def test_every_verdict_has_its_sentence(verdict: Verdict, text: str) -> None:
    assert sentence(contrast(verdict), ROPE) == text


@given(VERDICTS, st.floats(0, 1), KINDS, st.integers(1, 9))
def test_no_p_is_zero_or_stands_without_its_test_and_adjustment(
    verdict: Verdict, p: float, kind: Literal["baseline", "twin"], comparisons: int
) -> None:
    text = sentence(contrast(verdict, p, kind=kind, comparisons=comparisons), ROPE)
    found = re.findall(
        r"p [=<>] ([\d.]+), (t-test|two one-sided t-tests), (one comparison|Holm over \d comparisons)", text
    )
    assert len(found) == len(re.findall(r"\bp [=<>]", text)) >= 1
    assert all(0 < float(number) < 1 for number, _, _ in found)
    assert "40 cases" in text


@pytest.mark.parametrize(
    ("p", "text"), [(0.0, "p < 0.001"), (0.0009, "p < 0.001"), (0.0312, "p = 0.031"), (1.0, "p > 0.999"), (NAN, "–")]
)
def test_a_p_is_never_zero_or_one(p: float, text: str) -> None:
    assert format_p(p) == text


def test_an_end_near_zero_has_a_digit_more() -> None:
    assert "+0.0010, 95 % CI +0.0002 to +0.0018;" in sentence(contrast("better", ends=(0.0002, 0.0018)), ROPE)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("few cases", "40 cases with a value are too few for an interval, which takes 6"),
        ("no scatter", "the mean Dice difference is +0.015 in each of 40 cases"),
        ("one training", "of one trained network each, which may differ by the luck of their training alone"),
        ("empty structures", "7 structures that the reference lacks and only one of the two predicts would decide"),
        ("undefined values", "5 structures have a value in one of the two only"),
    ],
)
def test_what_cannot_be_decided_says_why_and_gives_no_p(reason: Reason, words: str) -> None:
    text = sentence(contrast("undecided", reason=reason), ROPE)
    assert text.startswith("Undecided between New and Old: ") and words in text
    assert not re.search(r"\bp [=<>]|better|worse|equivalent", text)


def test_every_reason_has_its_sentence() -> None:
    texts = {sentence(contrast(reason=reason), ROPE) for reason in get_args(Reason)}
    assert len(texts) == len(get_args(Reason))


def test_what_stands_beside_the_verdicts() -> None:
    told = how_judged([contrast("better")] * 3)
    assert (
        told == "p: t-test of the mean difference with the trained network as a random effect, Holm over 3 comparisons."
    )
    assert training_caveat([contrast()]) == ""
    assert "confounded" in training_caveat([contrast(), contrast(training="folds")])
    assert "nothing is decided" in training_caveat([contrast(training="unknown", reason="one training")])


@pytest.mark.parametrize(("rope", "quoted"), [(0.003, "0.003"), (0.01, "0.01"), (0.5, "0.5")])
def test_the_region_of_equivalence_is_quoted(rope: float, quoted: str) -> None:
    assert f"equivalent within {quoted} Dice" in sentence(contrast("equivalent"), rope)


@given(
    VERDICTS,
    KINDS,
    st.lists(st.sampled_from(CLAIMED), unique=True),
    st.lists(st.sampled_from(CLAIMED), unique=True),
)
def test_only_a_twin_that_is_not_shown_to_be_worse_puts_in_doubt_and_the_mechanism_only_if_all_of_it_is_gone(
    verdict: Verdict, kind: Literal["baseline", "twin"], removed: list[str], claimed: list[str]
) -> None:
    text = sentence(contrast(verdict, kind=kind), ROPE, removed, claimed)
    doubted = kind == "twin" and direction(verdict) != "better"
    assert (". So nothing here shows that " in text and text.endswith(" more than its parameters alone.")) == doubted
    assert text.count("parameters") == doubted
    everything = bool(claimed) and set(claimed) <= set(removed)
    assert ("the mechanism of New" in text) == (doubted and everything)
    assert ("what its twin leaves out" in text) == (doubted and not removed)


def test_what_is_removed_is_named_where_it_is_not_all() -> None:
    assert in_doubt(CLAIMED) == "the mechanism of New does more than its parameters alone."
    assert in_doubt(("attention",)) == "the attention of New does more than its parameters alone."
    assert in_doubt(("adaptivity", "balance"), ("adaptivity", "mixing", "balance")) == (
        "the adaptivity and the balance of New do more than its parameters alone."
    )
    assert in_doubt(CLAIMED, ()).startswith("the reinjection, the attention and the head of New do more")


@pytest.mark.parametrize("claimed", [(), CLAIMED])
def test_what_is_unknown_is_not_named(claimed: tuple[str, ...]) -> None:
    assert in_doubt((), claimed) == "in New, what its twin leaves out does more than its parameters alone."


@pytest.mark.parametrize("name", ["New_flopstwin", "New_flopstwin_bf16", "New_bf16_flopstwin (Plans, 2d)"])
def test_a_twin_of_as_many_operations_says_nothing_of_parameters(name: str) -> None:
    assert in_doubt(CLAIMED, against=name) == "the mechanism of New does more than its operations alone."
    assert in_doubt((), against=name).endswith("what its twin leaves out does more than its operations alone.")


def test_a_difference_to_a_twin_names_what_the_twin_lacks() -> None:
    text = sentence(contrast("better", kind="twin"), ROPE, ("attention",), CLAIMED)
    assert text.startswith("New is better than Old, its twin without attention: mean Dice")
    assert "worse than Old, its twin: mean" in sentence(contrast("worse", kind="twin"), ROPE)
    assert "twin" not in sentence(contrast("better"), ROPE, ("attention",), CLAIMED)


def test_what_is_lacking_is_a_list_in_words() -> None:
    assert [without(CLAIMED[:number]) for number in range(4)] == [
        "",
        " without reinjection",
        " without reinjection and attention",
        " without reinjection, attention and head",
    ]


def test_the_law_that_was_used_is_told_and_none_where_none_was() -> None:
    folds, single = contrast(training="folds"), contrast(training="unknown", reason="one training")
    assert "random effect" not in how_judged([folds]) and "fold means or over cases, whichever" in how_judged([folds])
    mixed = how_judged([contrast(), folds])
    assert "random effect where both rows have replicates, else over fold means" in mixed
    assert "it does not know the noise of training, so that nothing is decided" in how_judged([single])
    assert how_judged([contrast(reason="few cases")]) == "p: none, as no comparison has enough cases that differ."


@pytest.mark.parametrize(("n", "words"), [(0, "0 cases with a value are"), (1, "1 case with a value is too few")])
def test_one_case_is_one_case_and_no_mean_is_unknown(n: int, words: str) -> None:
    assert words in sentence(contrast(reason="few cases", n=n), ROPE)
    assert numbers_of(Interval(NAN, NAN, NAN, NAN, 0, 9)) == "unknown"
