"""Tails: what a mean hides, counted and tested as textbooks do."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar

from nnunet_skipx.statistics.tails import paired_failures, tails, worst_cases

FAILS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30)


@given(FAILS)
def test_the_test_is_mcnemars(fails: list[tuple[bool, bool]]) -> None:
    one, other = np.array(fails).T
    found = paired_failures(np.where(one, 0.2, 0.9), np.where(other, 0.2, 0.9))
    table = [[(one & other).sum(), (one & ~other).sum()], [(~one & other).sum(), (~one & ~other).sum()]]
    assert found.p == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert (found.only_one, found.only_other, found.both) == (table[0][1], table[1][0], table[0][0])
    assert found.n == len(fails)


@given(FAILS, st.integers(1, 4))
def test_a_patient_fails_once(fails: list[tuple[bool, bool]], cases: int) -> None:
    one, other = np.where(np.array(fails).T, 0.2, 0.9)
    patients = [f"patient {number}" for number in range(len(fails))] * cases
    assert paired_failures(np.tile(one, cases), np.tile(other, cases), clusters=patients) == paired_failures(one, other)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0, 1))
def test_percentile_and_rate_are_those_of_the_known_cases(values: list[float], threshold: float) -> None:
    (tail,) = tails(pd.DataFrame({"A": [*values, np.nan]}), threshold)
    assert tail.worst == pytest.approx(np.percentile(values, 5))
    assert (tail.failures, tail.n) == (sum(value < threshold for value in values), len(values))


def test_worst_cases_are_those_in_which_any_row_went_wrong() -> None:
    values = pd.DataFrame({"A": np.linspace(0.1, 0.9, 9), "B": np.linspace(0.9, 0.15, 9)}, list("abcdefghi"))
    assert worst_cases(values, 4).index.tolist() == ["a", "i", "b", "h"]
    assert worst_cases(values, 99).shape == values.shape
