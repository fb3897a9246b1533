"""Tie groups equal those of a naive search, and places are what the verdicts leave."""

from itertools import combinations, permutations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.statistics.ties import MOST_GROUPS, group_letters, place_ranges, tie_groups


@st.composite
def signs(draw: st.DrawFn) -> pd.DataFrame:
    """Verdicts of all pairs of up to six rows, in any combination."""
    count = draw(st.integers(1, 6))
    upper = np.zeros((count, count), int)
    for pair in combinations(range(count), 2):
        upper[pair] = draw(st.sampled_from([-1, 0, 1]))
    rows = list("ABCDEF"[:count])
    return pd.DataFrame(upper - upper.T, rows, rows)


def naive_groups(sign: pd.DataFrame) -> set[frozenset[str]]:
    """Of all subsets without a decided pair those that are in no larger one."""
    rows = list(sign.index)
    subsets = [frozenset(chosen) for size in range(1, len(rows) + 1) for chosen in combinations(rows, size)]
    tied = [chosen for chosen in subsets if all(sign.loc[a, b] == 0 for a, b in combinations(chosen, 2))]
    return {chosen for chosen in tied if not any(chosen < larger for larger in tied)}


@given(signs())
def test_tie_groups_are_those_of_a_search_through_all_subsets(sign: pd.DataFrame) -> None:
    groups = tie_groups(sign)
    assert len(groups) == len({frozenset(group) for group in groups})
    assert {frozenset(group) for group in groups} == naive_groups(sign)


@given(signs())
def test_two_rows_share_a_letter_if_and_only_if_neither_is_better(sign: pd.DataFrame) -> None:
    letters = group_letters(sign)
    for one, other in permutations(sign.index, 2):
        assert bool(set(letters[one]) & set(letters[other])) == (sign.loc[one, other] == 0)


@given(signs())
def test_a_place_is_behind_all_that_are_better_and_before_all_that_are_worse(sign: pd.DataFrame) -> None:
    for row, (first, last) in place_ranges(sign).items():
        assert first == 1 + sum(sign.loc[other, row] == 1 for other in sign.index)
        assert len(sign) - last == sum(sign.loc[row, other] == 1 for other in sign.index)


def test_the_first_letter_is_the_best_rows() -> None:
    rows = list("ABC")
    sign = pd.DataFrame([[0, 1, 1], [-1, 0, 0], [-1, 0, 0]], rows, rows)
    assert group_letters(sign) == {"A": "a", "B": "b", "C": "b"}


def test_verdicts_without_any_order_have_no_groups() -> None:
    count = 2 * MOST_GROUPS
    sign = np.zeros((count, count), int)
    for number in range(0, count, 2):  # pairs that differ, and nothing else does: 2 to the number of pairs groups
        sign[number, number + 1], sign[number + 1, number] = 1, -1
    assert tie_groups(pd.DataFrame(sign)) == [] and set(group_letters(pd.DataFrame(sign)).values()) == {""}
