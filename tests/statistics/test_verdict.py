"""Verdicts: defined once, from one estimate and one test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.statistics.contrasts import contrasts, judged
from nnunet_skipx.statistics.verdict import direction, verdict
from tests.statistics.test_scores import false_positives, table_of

NAN = float("nan")
P = st.floats(0, 1)


@pytest.mark.parametrize(
    ("gain", "p", "outside", "word"),
    [
        (0.01, 0.01, 0.5, "better"),
        (-0.01, 0.01, 0.5, "worse"),
        (0.001, 0.01, 0.01, "better, but by less than matters"),
        (-0.001, 0.01, 0.01, "worse, but by less than matters"),
        (0.001, 0.5, 0.01, "equivalent"),
        (0.01, 0.5, 0.5, "undecided"),
        (0.01, 0.05, 0.05, "undecided"),
        (0.01, NAN, NAN, "undecided"),
        (0.01, 0.01, NAN, "better"),
    ],
)
def test_the_words_follow_from_two_tests(gain: float, p: float, outside: float, word: str) -> None:
    assert verdict(gain, p, outside) == word


@given(st.floats(-1, 1), P, P)
def test_worse_is_better_seen_from_the_other_row(gain: float, p: float, outside: float) -> None:
    swapped = {"better": "worse", "worse": "better"}
    here, there = (direction(verdict(sign * gain, p, outside)) for sign in (1, -1))
    assert gain == 0 or there == swapped.get(here, here)


def scores(cases: int = 60) -> np.ndarray:
    return np.random.default_rng(0).beta(40, 5, cases)


def shifted(by: float, scatter: float, cases: int = 60) -> np.ndarray:
    return scores(cases) + by + np.random.default_rng(1).normal(0, scatter, cases)


@pytest.mark.parametrize(
    ("by", "scatter", "word"),
    [
        (0.02, 0.005, "better"),
        (-0.02, 0.005, "worse"),
        (0.001, 0.0005, "better, but by less than matters"),
        (0.0, 0.001, "equivalent"),
        (0.01, 0.2, "undecided"),
    ],
)
def test_studies_have_the_verdict_that_they_allow(by: float, scatter: float, word: str) -> None:
    (contrast,) = contrasts(table_of({"A": scores(), "B": shifted(by, scatter)}), "A")
    assert (contrast.verdict, contrast.reason) == (word, "")


def test_of_distances_less_is_better_and_of_volume_errors_nothing() -> None:
    for metric, word in (("HD95", "worse"), ("NSD", "better"), ("volume error", None)):
        (contrast,) = contrasts(table_of({"A": scores(), "B": shifted(0.02, 0.005)}, metric), "A", NAN, metric)
        assert contrast.verdict == word


def test_what_absent_structures_would_decide_is_left_undecided() -> None:
    (contrast,) = contrasts(false_positives(0.001), "A")
    assert contrast.p < 0.05 and contrast.alternative is not None and contrast.alternative.p < 0.05
    assert (contrast.verdict, contrast.reason) == ("undecided", "empty structures")


def test_one_invented_structure_does_not_silence_what_the_others_show() -> None:
    one, other = scores(), shifted(-0.1, 0.01)
    one[0], other[0] = NAN, 0.0
    (contrast,) = contrasts(table_of({"A": one, "B": other}), "A")
    assert contrast.empties.one == 1 and contrast.alternative is not None
    assert (contrast.verdict, contrast.reason) == ("worse", "")


def test_a_distance_that_only_one_row_has_is_no_ground_for_a_verdict() -> None:
    one, other = 10 * scores(), 10 * shifted(0.02, 0.005)
    other[3] = NAN
    (contrast,) = contrasts(table_of({"A": one, "B": other}, "HD95"), "A", NAN, "HD95")
    assert contrast.p < 0.05 and (contrast.verdict, contrast.reason) == ("undecided", "undefined values")


def test_few_cases_equal_rows_and_single_trainings_are_undecided_and_say_why() -> None:
    few = table_of({"A": scores(5), "B": shifted(0.1, 0.001, 5)})
    same = table_of({"A": scores(), "B": scores()})
    single = table_of({"A": scores(), "B": shifted(0.1, 0.001)}, folds=1)
    for table, reason in ((few, "few cases"), (same, "no scatter"), (single, "one training")):
        (contrast,) = contrasts(table, "A")
        assert (contrast.verdict, contrast.reason) == ("undecided", reason)


def test_equivalence_is_adjusted_for_the_other_comparisons_too() -> None:
    rows = {"A": scores(), "B": shifted(0, 0.004)}
    rows |= {f"C{number}": shifted(0.0, 0.3) for number in range(5)}
    many = contrasts(table_of(rows), "A", rope=0.003)
    alone = judged(many[:1])[0]
    assert alone.outside < many[0].outside and alone.p <= many[0].p
