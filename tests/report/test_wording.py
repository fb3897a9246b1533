"""wording: sentences that say no more than the interval."""

import math
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.report.wording import sentence, without
from nnunet_skipx.statistics.contrasts import Contrast
from nnunet_skipx.statistics.means import Interval, PairedDifference

FINITE = st.floats(-1, 1)
ROPE = 0.003
CLAIMED = ("reinjection", "attention", "head")


def contrast(
    low: float,
    high: float,
    p: float = 0.001,
    n: int = 40,
    equivalence: float = 1.0,
    kind: Literal["baseline", "twin"] = "baseline",
    against: str = "Old",
) -> Contrast:
    """`p` is the adjusted one; those of the difference itself, before Holm, would always convince."""
    interval = Interval((low + high) / 2, low, high, 0.1, n, 0)
    difference = PairedDifference(interval, 1e-6, 1e-6, 0.5, n, 0, 0, equivalence, detectable=0.0123)
    return Contrast("New", against, kind, difference, p)


def in_doubt(removed: tuple[str, ...], claimed: tuple[str, ...] = CLAIMED, against: str = "New_twin") -> str:
    """The end of the sentence about a twin that is not shown to differ."""
    text = sentence(contrast(-0.01, 0.01, kind="twin", against=against), ROPE, removed, claimed)
    return text.partition("So nothing here shows that ")[2]


@given(FINITE, FINITE, st.floats(0, 1), st.floats(0, 1), st.sampled_from(["baseline", "twin"]))
def test_a_difference_is_claimed_only_when_the_interval_excludes_zero(
    one: float, other: float, p: float, equivalence: float, kind: Literal["baseline", "twin"]
) -> None:
    low, high = sorted((one, other))
    text = sentence(contrast(low, high, p, equivalence=equivalence, kind=kind), ROPE)
    assert ("No difference shown" in text or "are equivalent" in text) == (low <= 0 <= high)
    assert ("New reached a higher mean Dice than Old" in text) == (low > 0)
    assert ("New reached a lower mean Dice than Old" in text) == (high < 0)
    assert "n = 40" in text or "40 cases" in text


def test_the_mean_and_its_interval_are_told_with_their_signs() -> None:
    assert "(+0.015, 95 % CI +0.010 to +0.020)" in sentence(contrast(0.01, 0.02), ROPE)
    assert "(mean Dice difference -0.005, 95 % CI -0.020 to +0.010)" in sentence(contrast(-0.02, 0.01), ROPE)


def test_a_rank_test_that_disagrees_is_mentioned() -> None:
    assert "does not confirm it (p = 0.2, Holm)" in sentence(contrast(0.01, 0.02, p=0.2), ROPE)
    assert "does not confirm it (p = 0.05, Holm)" in sentence(contrast(-0.02, -0.01, p=0.05), ROPE)
    assert "does not confirm" not in sentence(contrast(0.01, 0.02, p=0.049), ROPE)


def test_equal_is_said_only_where_the_cases_show_it() -> None:
    text = sentence(contrast(-0.001, 0.001, equivalence=0.01), ROPE)
    assert "New and Old are equivalent within 0.003 Dice at n = 40 cases (p = 0.01)" in text
    assert "No difference shown" not in text
    for equivalence in (0.05, 1.0, math.nan):
        text = sentence(contrast(-0.02, 0.02, equivalence=equivalence), ROPE)
        assert "No difference shown between New and Old at n = 40 cases" in text
        assert "which could have shown one of 0.012; this does not show that they are equal" in text
        assert "equivalent" not in text


@pytest.mark.parametrize(("rope", "quoted"), [(0.003, "0.003"), (0.01, "0.01"), (0.5, "0.5")])
def test_the_region_of_equivalence_is_quoted(rope: float, quoted: str) -> None:
    assert f"equivalent within {quoted} Dice" in sentence(contrast(-0.001, 0.001, equivalence=0.01), rope)


@given(
    FINITE,
    FINITE,
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from(["baseline", "twin"]),
    st.lists(st.sampled_from(CLAIMED), unique=True),
    st.lists(st.sampled_from(CLAIMED), unique=True),
)
def test_only_a_twin_without_a_shown_difference_puts_in_doubt_and_the_mechanism_only_if_all_of_it_is_gone(
    one: float,
    other: float,
    p: float,
    equivalence: float,
    kind: Literal["baseline", "twin"],
    removed: list[str],
    claimed: list[str],
) -> None:
    low, high = sorted((one, other))
    text = sentence(contrast(low, high, p, equivalence=equivalence, kind=kind), ROPE, removed, claimed)
    doubted = kind == "twin" and low <= 0 <= high
    assert ("). So nothing here shows that " in text and text.endswith(" more than its parameters alone.")) == doubted
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
    assert sentence(contrast(0.01, 0.02, kind="twin"), ROPE, ("attention",), CLAIMED) == (
        "New reached a higher mean Dice than Old, its twin without attention, on these 40 cases "
        "(+0.015, 95 % CI +0.010 to +0.020)."
    )
    assert "lower mean Dice than Old, its twin, on these" in sentence(contrast(-0.02, -0.01, kind="twin"), ROPE)
    assert "twin" not in sentence(contrast(0.01, 0.02), ROPE, ("attention",), CLAIMED)


def test_what_is_lacking_is_a_list_in_words() -> None:
    assert [without(CLAIMED[:number]) for number in range(4)] == [
        "",
        " without reinjection",
        " without reinjection and attention",
        " without reinjection, attention and head",
    ]


@pytest.mark.parametrize("kind", ["baseline", "twin"])
def test_without_an_interval_nothing_is_claimed(kind: Literal["baseline", "twin"]) -> None:
    text = sentence(contrast(math.nan, math.nan, n=1, kind=kind), ROPE)
    assert text == "New and Old cannot be compared: n = 1 is too few cases for an interval."
