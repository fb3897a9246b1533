"""Over data sets: the random-effects model of textbooks, honest with few data sets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from nnunet_skipx.statistics.contrasts import contrasts
from nnunet_skipx.statistics.pooled import pooled, random_effects
from tests.statistics.test_scores import table_of
from tests.statistics.test_verdict import scores, shifted

STUDIES = st.lists(st.tuples(st.floats(-0.1, 0.1), st.floats(0.001, 0.05)), min_size=2, max_size=8)


@given(STUDIES)
def test_the_variance_between_is_what_makes_the_weighed_squares_what_they_should_be(studies: list) -> None:
    """The definition of Paule & Mandel."""
    values, errors = np.array(studies).T
    mean, error, between = random_effects(values, errors)
    weight = 1 / (errors**2 + between**2)
    squares = (weight * (values - mean) ** 2).sum()
    assert mean == pytest.approx(np.average(values, weights=weight))
    assert squares == pytest.approx(len(values) - 1, rel=1e-3) if between > 1e-6 else squares <= len(values) - 1 + 1e-3
    assert error >= 1 / np.sqrt(weight.sum()) * (1 - 1e-9)


@given(st.lists(st.floats(-0.1, 0.1), min_size=2, max_size=8).filter(lambda values: np.std(values, ddof=1) > 0.002))
def test_of_equally_firm_data_sets_it_is_the_t_test_over_them(values: list[float]) -> None:
    mean, error, _ = random_effects(values, [0.001] * len(values))
    theirs = ttest_1samp(values, 0)
    assert (mean, mean / error) == (pytest.approx(np.mean(values)), pytest.approx(theirs.statistic, rel=1e-4, abs=1e-6))


@given(STUDIES, st.floats(0.1, 10))
def test_unit_and_order_do_not_matter(studies: list[tuple[float, float]], factor: float) -> None:
    values, errors = np.array(studies).T
    plain, other = random_effects(values, errors), random_effects(factor * values[::-1], factor * errors[::-1])
    np.testing.assert_allclose(np.array(other) / factor, plain, rtol=1e-6, atol=1e-7)


def study(by: float, seed: int) -> list:
    rng = np.random.default_rng(seed)
    return contrasts(table_of({"A": scores(), "B": scores() + by + rng.normal(0, 0.004, 60)}), "A")


def test_a_difference_in_every_data_set_is_one_and_a_scattered_one_is_not() -> None:
    (steady,) = pooled({f"set {n}": study(0.02, n) for n in range(4)}, 0.003)
    (mixed,) = pooled({f"set {n}": study(by, n) for n, by in enumerate([0.06, -0.03, 0.05, -0.04])}, 0.003)
    assert steady.verdict == "better" and mixed.verdict == "undecided"
    assert mixed.between > 0.03 > steady.between
    assert mixed.next_low < mixed.low < mixed.value < mixed.high < mixed.next_high
    assert steady.datasets == ("set 0", "set 1", "set 2", "set 3")


def test_two_data_sets_or_more_with_an_interval_are_needed() -> None:
    few = contrasts(table_of({"A": scores(5), "B": shifted(0.02, 0.004, 5)}), "A")
    assert pooled({"one": study(0.02, 0)}, 0.003) == []
    assert pooled({"one": study(0.02, 0), "few": few}, 0.003) == []
    (two,) = pooled({"one": study(0.02, 0), "few": few, "two": study(0.02, 1)}, 0.003)
    assert two.datasets == ("one", "two") and np.isnan(two.next_low)
