"""Estimates: the laws of textbooks where these have them, and never a claim of training noise as a difference."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import t, ttest_1samp
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import DescrStatsW

from nnunet_skipx.statistics.estimate import COVERAGE, FEWEST_CASES, estimates
from nnunet_skipx.statistics.trainings import membership, training_noise

FIVE_FOLDS = [case % 5 for case in range(40)]
SCORES = arrays(float, (1, 20, 1), elements=st.floats(0, 1, width=32))


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.01, 0.03, shape)


def test_of_one_fold_it_is_the_t_test_of_scipy_and_the_tost_of_statsmodels() -> None:
    values = normal(0, 1, 30, 1)
    found = estimates([values], [0] * 30)
    theirs = ttest_1samp(values[0, :, 0], 0)
    low, high = theirs.confidence_interval(COVERAGE)
    assert found.p()[0] == pytest.approx(theirs.pvalue)
    assert (found.value - found.half_width())[0] == pytest.approx(low)
    assert (found.value + found.half_width())[0] == pytest.approx(high)
    assert found.p_outside(0.02)[0] == pytest.approx(DescrStatsW(values[0, :, 0]).ttost_mean(-0.02, 0.02)[0])
    assert found.training(0) == "unknown"


def test_without_replicates_the_wider_of_the_laws_over_cases_and_over_folds_decides() -> None:
    values = normal(1, 1, 40, 60)
    found = estimates([values], FIVE_FOLDS)
    fold_means = values[0].reshape(8, 5, 60).mean(0)
    over_folds = ttest_1samp(fold_means, 0, axis=0)
    within = ((values[0].reshape(8, 5, 60) - fold_means) ** 2).sum((0, 1)) / 35 / 40
    over_cases = 2 * t.sf(np.abs(values[0].mean(0)) / np.sqrt(within), 35)
    np.testing.assert_allclose(found.p(), np.maximum(over_folds.pvalue, over_cases))
    halves = t.ppf(0.975, 4) * fold_means.std(0, ddof=1) / np.sqrt(5), t.ppf(0.975, 35) * np.sqrt(within)
    np.testing.assert_allclose(found.half_width(), np.maximum(*halves))
    assert min((found.p() == over_cases).sum(), (np.isclose(found.p(), over_folds.pvalue)).sum()) > 0
    assert found.training(0) == "folds"


def test_interval_and_test_never_contradict_each_other() -> None:
    for values in (normal(2, 1, 40, 400), normal(3, 3, 40, 400)):
        found = estimates([values], FIVE_FOLDS)
        np.testing.assert_array_equal(found.p() < 0.05, np.abs(found.value) > found.half_width())


def test_with_replicates_the_parts_of_the_variance_are_found() -> None:
    rng = np.random.default_rng(4)
    folds, network, case, rest = [case % 5 for case in range(100)], 0.02, 0.05, 0.03
    values = rng.normal(0, case, (100, 2000)) + rng.normal(0, rest, (3, 100, 2000))
    values += rng.normal(0, network, (3, 5, 2000))[:, folds]
    noise = training_noise(values, membership(folds))
    assert noise.of_mean.mean() == pytest.approx(network**2 / 15, rel=0.05)
    assert np.median(noise.sd) == pytest.approx(network, rel=0.05)
    assert np.median(noise.icc) == pytest.approx(network**2 / (network**2 + case**2 + rest**2), rel=0.07)
    np.testing.assert_allclose(noise.freedom, 10)
    error = estimates([values], folds).error[0]
    assert (error**2).mean() == pytest.approx(values.mean((0, 1)).var(), rel=0.06)


def test_more_replicates_narrow_the_interval_as_far_as_training_widens_it() -> None:
    rng = np.random.default_rng(5)
    cases = rng.normal(0, 0.001, (100, 300))
    folds = [case % 5 for case in range(100)]
    many = cases + rng.normal(0, 0.02, (6, 5, 300))[:, folds]
    two, six = (estimates([many[:k]], folds).half_width().mean() for k in (2, 6))
    assert six < 0.6 * two


@pytest.mark.parametrize("known", [0, 1, FEWEST_CASES - 1, FEWEST_CASES])
def test_fewer_than_six_cases_have_no_interval(known: int) -> None:
    values = np.full((1, 40, 1), np.nan)
    values[0, :known] = normal(6, known, 1)
    found = estimates([values], FIVE_FOLDS)
    assert found.n[0] == known
    assert np.isnan(found.half_width()[0]) == (known < FEWEST_CASES)
    assert np.isnan(found.value[0]) == (known == 0)


@given(SCORES, st.sets(st.integers(0, 19)), st.sampled_from([1, 2, 5, 10]))
def test_no_interval_is_without_width(values: np.ndarray, holes: set[int], folds: int) -> None:
    values = values.copy()
    values[0, list(holes)] = np.nan
    found = estimates([values], [case % folds for case in range(20)])
    half, kept = found.half_width()[0], values[~np.isnan(values)]
    assert np.isnan(half) == (len(kept) < FEWEST_CASES or np.ptp(kept) <= 1e-12)
    assert np.isnan(half) or half > 0


def test_fold_means_that_agree_by_chance_do_not_shrink_the_interval() -> None:
    values = np.tile([-0.3, 0.3], 10)[None, :, None]
    folds = [case // 4 for case in range(20)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = estimates([values], folds)
        assert found.half_width()[0] == pytest.approx(t.ppf(0.975, 15) * 0.3 / np.sqrt(15))
        assert (found.p()[0], found.p_outside(0.0)[0]) == (1, 0.5)
        assert found.detectable()[0] > found.half_width()[0]


def test_rare_structures_are_pooled_over_folds_and_columns_do_not_touch() -> None:
    values = np.full((1, 40, 2), np.nan)
    values[0, :8, 0], values[0, :, 1] = normal(7, 8), normal(8, 40)  # two folds have one known value only
    found = estimates([values], FIVE_FOLDS)
    kept = values[0, :8, 0]
    assert (found.error[0, 0], found.freedom[0, 0]) == (pytest.approx(kept.std(ddof=1) / np.sqrt(8)), 7)
    assert found.freedom[0, 1] == 35
    np.testing.assert_allclose(estimates([values[..., 1:]], FIVE_FOLDS).error[:, 0], found.error[:, 1])


@given(SCORES.filter(lambda values: np.ptp(values) > 1e-3), st.floats(0.1, 10), st.floats(-5, 5))
def test_unit_and_origin_do_not_matter(values: np.ndarray, factor: float, shift: float) -> None:
    folds = [case % 5 for case in range(20)]
    plain, moved = estimates([values], folds), estimates([factor * values + shift], folds)
    np.testing.assert_allclose(moved.half_width(), factor * plain.half_width(), rtol=1e-6)
    np.testing.assert_allclose(moved.value, factor * plain.value + shift, rtol=1e-6, atol=1e-9)


def test_swapping_the_rows_turns_the_sign_and_nothing_else() -> None:
    one, other = normal(9, 2, 40, 5), normal(10, 3, 40, 5)
    here, there = estimates([one, other], FIVE_FOLDS), estimates([other, one], FIVE_FOLDS)
    np.testing.assert_allclose(here.value, -there.value)
    np.testing.assert_allclose(here.p(), there.p())
    np.testing.assert_allclose(here.p_outside(0.01), there.p_outside(0.01))


def test_a_row_without_replicates_leaves_the_scatter_between_folds() -> None:
    mixed = estimates([normal(11, 3, 40, 1), normal(12, 1, 40, 1)], FIVE_FOLDS)
    assert mixed.training(0) == "folds"
    assert estimates([normal(11, 3, 40, 1), normal(12, 2, 40, 1)], [0] * 40).training(0) == "replicates"


@pytest.mark.parametrize("cases", [10, 40, 260])
def test_the_detectable_difference_of_one_fold_is_that_of_statsmodels(cases: int) -> None:
    values = normal(13, 1, cases, 1)
    effect = estimates([values], [0] * cases).detectable(0.01)[0] / values.std(ddof=1)
    assert TTestPower().power(effect, nobs=cases, alpha=0.01) == pytest.approx(0.8, abs=0.001)


@pytest.mark.parametrize("seed_sd", [0.0, 0.004])
@pytest.mark.parametrize("folds", [3, 5])
def test_the_detectable_difference_is_found_in_four_studies_of_five(folds: int, seed_sd: float) -> None:
    rng, numbers = np.random.default_rng(14), np.arange(100) % folds
    noise = rng.normal(0, 0.03, (1, 100, 4000)) + rng.normal(0, seed_sd, (1, folds, 4000))[:, numbers]
    # What a study says scatters with its estimate of the variance; that is right on average.
    effect = np.sqrt((estimates([noise], numbers.tolist()).detectable() ** 2).mean())
    assert (estimates([noise + effect], numbers.tolist()).p() < 0.05).mean() == pytest.approx(0.8, abs=0.04)


@given(SCORES, st.sampled_from([1, 2, 5]), st.integers(1, 3))
def test_a_patient_counts_once_however_many_equal_cases_he_has(values: np.ndarray, folds: int, copies: int) -> None:
    numbers = [case % folds for case in range(20)]
    patients = [f"patient_{case}" for case in range(20)]
    single = estimates([values], numbers)
    several = estimates([np.tile(values, (1, copies, 1))], numbers * copies, patients * copies)
    np.testing.assert_allclose(several.error, single.error, rtol=1e-9)
    np.testing.assert_array_equal(several.freedom, single.freedom)
    assert (several.n[0], several.clusters[0]) == (20 * copies, 20)


@given(SCORES)
def test_patients_of_one_case_each_change_nothing(values: np.ndarray) -> None:
    plain, named = estimates([values], FIVE_FOLDS[:20]), estimates([values], FIVE_FOLDS[:20], list(range(20)))
    np.testing.assert_allclose(named.error, plain.error, rtol=1e-12)
    np.testing.assert_array_equal(named.p(), plain.p())


def test_two_phases_of_a_heart_are_not_two_patients() -> None:
    rng = np.random.default_rng(15)
    patients = [case // 2 for case in range(80)]
    folds = [patient % 5 for patient in patients]
    noise = np.repeat(rng.normal(0, 0.03, (40, 3000)), 2, axis=0) + rng.normal(0, 0.01, (80, 3000))
    known = noise[None]
    assert (estimates([known], folds, patients).p() < 0.05).mean() < 0.06
    over_cases = estimates([known], folds).error[0] / estimates([known], folds, patients).error[0]
    assert np.median(over_cases) < 0.8, "as if the cases were independent"


def test_fewer_than_six_patients_have_no_interval_however_many_cases() -> None:
    values = normal(16, 1, 40, 1)
    assert np.isnan(estimates([values], [0] * 40, [case % 5 for case in range(40)]).half_width()[0])
    assert estimates([values], [0] * 40, [case % 6 for case in range(40)]).half_width()[0] > 0
