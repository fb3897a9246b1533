"""Paired comparisons: right against statsmodels and scipy, and silent where there is nothing."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wilcoxon
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import DescrStatsW

from nnunet_skipx.statistics.paired import (
    cliffs_delta,
    detectable_difference,
    equivalence_p,
    holm,
    sign_flip_p,
    signed_rank_p,
    wins_ties_losses,
)

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)
SCORES = st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=1, max_size=15)


@given(P_VALUES)
@settings(max_examples=20, deadline=None)  # statsmodels takes its time
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1], rtol=1e-12, atol=1e-300)


@given(P_VALUES, st.integers(0, 12))
def test_holm_does_not_count_comparisons_that_could_not_be_made(p_values: list[float], place: int) -> None:
    place = min(place, len(p_values))
    adjusted = holm([*p_values[:place], np.nan, *p_values[place:]])
    assert np.isnan(adjusted[place])
    np.testing.assert_array_equal(np.delete(adjusted, place), holm(p_values))


def test_signed_rank_is_that_of_scipy_up_to_rounding_of_ties() -> None:
    differences = np.random.default_rng(0).normal(0.02, 0.05, 40)
    assert signed_rank_p(differences) == pytest.approx(wilcoxon(differences).pvalue, rel=1e-9)
    ties = np.array([0.1 + 0.2, 0.3, -0.3, 0.5, 0.7])  # 0.1 + 0.2 is 0.30000000000000004
    assert signed_rank_p(ties) == signed_rank_p([0.3, 0.3, -0.3, 0.5, 0.7])


@pytest.mark.parametrize("seed", range(6))
def test_few_cases_with_ties_and_zeros_have_the_p_of_scipy(seed: int) -> None:
    differences = np.random.default_rng(seed).integers(-3, 5, 4 + 2 * (seed % 4)) / 10
    assert signed_rank_p(differences) == pytest.approx(wilcoxon(differences).pvalue, rel=1e-12)


@pytest.mark.parametrize("n", [3, 6, 10])
def test_p_is_the_share_of_sign_patterns_at_least_as_extreme(n: int) -> None:
    differences = np.random.default_rng(n).normal(0.05, 0.1, n)
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    sums = np.array([np.dot(ranks, signs) for signs in product((0, 1), repeat=n)])
    observed = ranks[differences > 0].sum()
    expected = min(1.0, 2 * min((sums >= observed).mean(), (sums <= observed).mean()))
    assert signed_rank_p(differences) == pytest.approx(expected)


def test_sign_flips_of_few_cases_are_counted_exactly() -> None:
    assert sign_flip_p([1, 2, 3]) == 2 / 8, "only + + + and - - - are as extreme"
    assert sign_flip_p([1, 2, -3]) == 1
    assert sign_flip_p([1e-20, 0, 0]) == sign_flip_p([0.5]) == 1


def test_sign_flips_of_many_cases_are_drawn_and_repeat() -> None:
    differences = np.random.default_rng(1).normal(0.02, 0.05, 60)
    p = sign_flip_p(differences)
    assert p == sign_flip_p(differences) == sign_flip_p(-differences)
    assert p == pytest.approx(DescrStatsW(differences).ttest_mean(0)[1], abs=0.01)


@pytest.mark.parametrize("test", [signed_rank_p, sign_flip_p])
def test_no_difference_gives_one_and_no_case_gives_nan(test: object) -> None:
    assert test([0.0, 0.0, 1e-14]) == 1  # type: ignore[operator]
    assert np.isnan(test([]))  # type: ignore[operator]


@pytest.mark.slow
@pytest.mark.parametrize(("test", "cases"), [(signed_rank_p, 30), (signed_rank_p, 100), (sign_flip_p, 30)])
def test_where_there_is_no_difference_six_in_a_hundred_at_most_are_found(test: object, cases: int) -> None:
    rng = np.random.default_rng(cases)
    first, second = rng.beta(9, 1.5, size=(2, 2000, cases))
    found = [test(differences) < 0.05 for differences in first - second]  # type: ignore[operator]
    # Of 2,000 studies the share scatters by 0.5 %.
    assert np.mean(found) <= 0.06


@given(SCORES, SCORES)
def test_cliffs_delta_counts_all_pairs(values: list[float], baseline: list[float]) -> None:
    signs = np.sign(np.subtract.outer(values, baseline))
    assert cliffs_delta(values, baseline) == pytest.approx(signs.mean(), abs=1e-12)
    assert cliffs_delta(baseline, values) == pytest.approx(-signs.mean(), abs=1e-12)


def test_rounding_makes_no_winner() -> None:
    assert wins_ties_losses([0.1 + 0.2 - 0.3, 0.1, -0.2, 0.0]) == (1, 2, 1)
    assert cliffs_delta([0.1 + 0.2], [0.3]) == 0


def test_equivalence_is_the_tost_of_statsmodels() -> None:
    differences = np.random.default_rng(2).normal(0.0005, 0.004, 50)
    theirs = DescrStatsW(differences).ttost_mean(-0.003, 0.003)[0]
    assert equivalence_p(differences, 0.003) == pytest.approx(theirs, rel=1e-9)
    assert equivalence_p(differences + 0.01, 0.003) > 0.9
    assert equivalence_p([0.001] * 5, 0.003) == 0
    assert equivalence_p([0.003] * 5, 0.003) == 1
    assert np.isnan(equivalence_p([0.1], 0.003))


@pytest.mark.parametrize("cases", [10, 40, 260])
def test_the_detectable_difference_has_the_power_it_claims(cases: int) -> None:
    differences = np.random.default_rng(4).normal(0, 0.03, cases)
    found = detectable_difference(differences)
    effect = found / differences.std(ddof=1)
    assert TTestPower().power(effect, nobs=cases, alpha=0.05) == pytest.approx(0.8, abs=0.01)
    assert np.isnan(detectable_difference([0.1]))
