"""Resampling of cases within their folds, for ranks."""

import numpy as np
import pytest

from nnunet_skipx.statistics.bootstrap import resampling_counts, scaled_deviations, usable_strata


def test_every_resample_has_as_many_cases_of_a_fold_as_the_study() -> None:
    folds = (0, 1, 1, 2, 2, 2)
    counts = resampling_counts(folds)
    for fold in range(3):
        assert (counts[:, np.array(folds) == fold].sum(1) == fold + 1).all()
    assert len(np.unique(counts, axis=0)) == 1 * 3 * 10, "every multiset of each fold is drawn"
    np.testing.assert_allclose(counts.mean(0), 1, atol=0.05)


@pytest.mark.parametrize(("folds", "kept"), [((0, 0, 0, 1, 1, 1), True), ((0, 0, 0, 1, 1), False), ((0,) * 2, False)])
def test_folds_of_fewer_than_three_are_given_up(folds: tuple[int, ...], kept: bool) -> None:
    assert usable_strata(folds) == (folds if kept else (0,) * len(folds))


def test_small_folds_do_not_narrow_what_is_drawn() -> None:
    values = np.random.default_rng(9).normal(0, 1, size=(21, 400))
    threes, whole = (
        (resampling_counts(strata) @ scaled_deviations(values, strata) / 21).std(0).mean()
        for strata in (tuple(case // 3 for case in range(21)), (0,) * 21)
    )
    assert threes == pytest.approx(whole, rel=0.05)
