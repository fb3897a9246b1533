"""Bootstrap intervals: they cover what they promise, and do not depend on unit, origin or order."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import bootstrap, norm

from nnunet_skipx.statistics.bootstrap import bca_intervals, resampling_counts

FOLDS_OF_20 = tuple(case % 5 for case in range(20))
SCORES = arrays(float, (20, 1), elements=st.floats(0, 1, width=32))


def skewed_scores(rng: np.random.Generator, cases: int, studies: int) -> tuple[np.ndarray, float]:
    """Dice-like values, bounded and with a long tail to the left, and their expectation."""
    return rng.beta(9, 1.5, size=(cases, studies)), 9 / 10.5


@pytest.mark.parametrize("cases", [30, 100])
@pytest.mark.parametrize("folds", [1, 5])
def test_of_a_thousand_studies_the_intervals_cover_what_they_promise(cases: int, folds: int) -> None:
    values, truth = skewed_scores(np.random.default_rng(cases + folds), cases, 1000)
    low, high = bca_intervals(values, tuple(case % folds for case in range(cases)))
    covered = ((low <= truth) & (truth <= high)).mean()
    assert 0.92 <= covered <= 0.98


def test_without_strata_they_are_those_of_scipy_but_for_the_lost_degree_of_freedom() -> None:
    values, _ = skewed_scores(np.random.default_rng(3), 40, 1)
    theirs = bootstrap((values[:, 0],), np.mean, n_resamples=10_000, rng=np.random.default_rng(0)).confidence_interval
    expected = values.mean() + np.sqrt(40 / 39) * (np.array(theirs) - values.mean())
    # A 2.5 % quantile of 10,000 draws has a standard error of 0.7 % of the interval's width.
    np.testing.assert_allclose(bca_intervals(values, (0,) * 40)[:, 0], expected, atol=0.03 * np.ptp(expected))


@pytest.mark.parametrize("tail", [1, -1])
def test_for_given_resamples_the_ends_are_those_of_efron_and_of_scipy(tail: int) -> None:
    scores = tail * np.random.default_rng(8).lognormal(0, 2, 15)
    mean, one_fold = scores.mean(), (0,) * 15
    drawn = np.array([np.repeat(scores, times.astype(int)).mean() for times in resampling_counts(one_fold)])
    drawn = mean + np.sqrt(15 / 14) * (drawn - mean)
    z0 = norm.ppf((drawn < mean).mean())
    left_out = np.array([np.delete(scores, case).mean() for case in range(15)])
    influence = left_out.mean() - left_out
    a = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    assert min(tail * z0, tail * a) > 0.05, "a sample in which bias and acceleration matter"
    efron = [np.quantile(drawn, norm.cdf(z0 + (z0 + z) / (1 - a * (z0 + z)))) for z in norm.ppf([0.025, 0.975])]
    given_them = SimpleNamespace(bootstrap_distribution=drawn)
    theirs = bootstrap((scores,), np.mean, n_resamples=0, bootstrap_result=given_them, method="BCa").confidence_interval
    ours = bca_intervals(scores[:, None], one_fold)[:, 0]
    np.testing.assert_allclose(ours, efron, rtol=1e-12)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_every_resample_has_as_many_cases_of_a_fold_as_the_study() -> None:
    folds = (0, 1, 1, 2, 2, 2)
    counts = resampling_counts(folds)
    for fold in range(3):
        assert (counts[:, np.array(folds) == fold].sum(1) == fold + 1).all()
    assert len(np.unique(counts, axis=0)) == 1 * 3 * 10, "every multiset of each fold is drawn"
    np.testing.assert_allclose(counts.mean(0), 1, atol=0.05)


def test_a_difference_between_folds_alone_gives_no_width() -> None:
    ends = bca_intervals(np.array([[0.2], [0.8], [0.2], [0.8]]), ("first", "second") * 2)
    np.testing.assert_allclose(ends, 0.5)


def test_small_folds_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(9).normal(0, 1, size=(20, 200))
    pairs, whole = (
        np.diff(bca_intervals(values, strata), axis=0).mean()
        for strata in (tuple(case // 2 for case in range(20)), (0,) * 20)
    )
    assert pairs == pytest.approx(whole, rel=0.05)


def test_folds_are_given_up_where_one_has_a_single_case() -> None:
    values = np.random.default_rng(9).beta(9, 1.5, size=(5, 1))
    np.testing.assert_array_equal(bca_intervals(values, (0, 1, 2, 2, 2)), bca_intervals(values, (0,) * 5))


@settings(max_examples=50, deadline=None)
@given(SCORES, st.floats(0.1, 10), st.floats(-5, 5))
def test_unit_and_origin_do_not_matter(values: np.ndarray, factor: float, shift: float) -> None:
    plain = bca_intervals(values, FOLDS_OF_20)
    moved = bca_intervals(factor * values + shift, FOLDS_OF_20)
    if np.ptp(values) > 1e-3:  # below, rounding decides what is equal
        np.testing.assert_allclose(moved, factor * plain + shift, atol=1e-3 * factor * np.ptp(values) + 1e-12)


@settings(max_examples=50, deadline=None)
@given(SCORES)
def test_they_stay_among_the_values(values: np.ndarray) -> None:
    (low,), (high,) = bca_intervals(values, FOLDS_OF_20)
    assert values.min() - 1e-9 <= low <= high <= values.max() + 1e-9


def test_columns_do_not_touch_each_other_and_nan_is_left_out() -> None:
    values, _ = skewed_scores(np.random.default_rng(5), 20, 3)
    holes = values.copy()
    holes[[1, 7], 1] = np.nan
    holes[:, 2] = np.nan
    whole, holed = (bca_intervals(table, FOLDS_OF_20) for table in (values, holes))
    np.testing.assert_array_equal(whole[:, 0], holed[:, 0])
    assert holed[0, 1] < np.nanmean(holes[:, 1]) < holed[1, 1]
    assert np.abs(whole[:, 1] - holed[:, 1]).max() > 0
    assert np.isnan(holed[:, 2]).all()
    one = np.full((20, 1), np.nan)
    one[3] = 0.5
    assert np.isnan(bca_intervals(one, FOLDS_OF_20)).all(), "one case has no interval"
