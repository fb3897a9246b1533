"""statistics: intervals that cover, comparisons that pair."""
import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnunet_skipx.benchmark.collect import COLUMNS, collect
from nnunet_skipx.benchmark.statistics import (
    case_differences,
    case_values,
    fold_means,
    mean_interval,
    paired_difference,
    signed_rank_p,
)
from tests.benchmark.conftest import FOLDS, TRAINERS, Study

DICE = st.floats(0, 1)


def by_case(values: list[float]) -> pd.Series:
    index = pd.MultiIndex.from_tuples([(n % 2, f"case_{n}") for n in range(len(values))], names=["fold", "case"])
    return pd.Series(values, index=index, dtype=float)


def test_the_interval_covers_the_true_mean_as_often_as_it_says() -> None:
    # 200 studies of 30 skewed, bounded scores. A BCa interval truly covers 93 to 95 % at this n; the count of studies
    # that cover has a standard deviation of sqrt(200 * 0.94 * 0.06) = 3.4, so 94 % +- 3 sd is 178 to 198 studies.
    scores = np.random.default_rng(1).beta(8, 2, size=(200, 30))
    covered = sum(interval.low <= 0.8 <= interval.high for interval in map(mean_interval, scores))
    assert 178 <= covered <= 198


def test_the_interval_equals_scipys_bca_on_a_known_sample() -> None:
    from scipy.stats import bootstrap

    values = np.random.default_rng(3).beta(8, 2, 40)
    expected = bootstrap((values,), np.mean, n_resamples=50_000, method="BCa", rng=7).confidence_interval
    interval = mean_interval(values)
    assert (interval.value, interval.n, interval.dropped) == (pytest.approx(values.mean()), 40, 0)
    assert [interval.low, interval.high] == pytest.approx([expected.low, expected.high], abs=1e-3)
    assert interval.low != expected.low, "another seed and number of resamples cannot give the same bits"


@settings(max_examples=40, deadline=None)
@given(st.lists(DICE | st.just(float("nan")), min_size=1, max_size=12))
def test_the_interval_is_repeatable_and_inside_the_data_without_a_warning(values: list[float]) -> None:
    known = [value for value in values if value == value]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interval = mean_interval(values)
        assert repr(interval) == repr(mean_interval(values))
    assert (interval.n, interval.dropped) == (len(known), len(values) - len(known))
    if len(known) > 1:
        assert min(known) - 1e-9 <= interval.low <= interval.high <= max(known) + 1e-9


@given(DICE, st.integers(2, 20))
def test_constant_scores_give_an_interval_of_no_width(value: float, n: int) -> None:
    interval = mean_interval([value] * n)
    assert interval.low == interval.value == interval.high == pytest.approx(value, abs=1e-12)


def test_one_case_has_a_mean_but_no_interval() -> None:
    interval = mean_interval([0.5, float("nan")])
    assert (interval.value, interval.n, interval.dropped) == (0.5, 1, 1)
    assert np.isnan([interval.low, interval.high]).all()


def test_no_case_at_all_gives_nan() -> None:
    assert np.isnan(mean_interval([float("nan")] * 3).value)


def test_more_cases_narrow_the_interval() -> None:
    few, many = (mean_interval(np.random.default_rng(0).beta(8, 2, n)) for n in (20, 500))
    assert many.high - many.low < 0.4 * (few.high - few.low)


@given(st.lists(st.tuples(DICE, DICE), min_size=1, max_size=15))
@settings(max_examples=40, deadline=None)
def test_swapping_trainer_and_baseline_turns_the_sign_and_keeps_p(pairs: list[tuple[float, float]]) -> None:
    first, second = (by_case(list(column)) for column in zip(*pairs, strict=True))
    one, other = paired_difference(first, second), paired_difference(second, first)
    assert one.interval.value == pytest.approx(-other.interval.value, abs=1e-12)
    assert one.p == pytest.approx(other.p)


def test_equal_results_have_no_difference_and_p_one() -> None:
    values = by_case([0.5, 0.7, 0.9])
    result = paired_difference(values, values.copy())
    assert (result.interval.value, result.interval.low, result.interval.high, result.p) == (0, 0, 0, 1)


@pytest.mark.parametrize("n", [3, 6, 10])
def test_p_is_the_share_of_sign_patterns_at_least_as_extreme(n: int) -> None:
    differences = np.random.default_rng(n).normal(0.05, 0.1, n)
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    sums = np.array([np.dot(ranks, signs) for signs in product((0, 1), repeat=n)])
    observed = ranks[differences > 0].sum()
    expected = min(1.0, 2 * min((sums >= observed).mean(), (sums <= observed).mean()))
    assert signed_rank_p(differences) == pytest.approx(expected)


def test_differences_equal_on_paper_tie_in_the_ranks() -> None:
    rounded, exact = [0.8 - 0.7, -(0.9 - 0.8), 0.3, 0.5], [0.1, -0.1, 0.3, 0.5]
    assert 0.8 - 0.7 != 0.9 - 0.8
    assert signed_rank_p(rounded) == signed_rank_p(exact)


def test_a_pair_with_nan_is_dropped_and_counted() -> None:
    nan = float("nan")
    result = paired_difference(by_case([0.9, nan, 0.8, 0.7]), by_case([0.8, 0.5, nan, 0.5]))
    assert (result.interval.n, result.interval.dropped) == (2, 2)
    assert result.interval.value == pytest.approx(0.15)


def test_pairs_are_found_by_case_and_not_by_position() -> None:
    values = by_case([0.1, 0.5, 0.9])
    assert (case_differences(values, values.iloc[::-1]) == 0).all()


def test_different_cases_are_refused_and_named() -> None:
    with pytest.raises(ValueError, match=r"1 cases .*case_2"):
        paired_difference(by_case([0.1, 0.2, 0.3]), by_case([0.1, 0.2]))


def test_the_mean_of_a_case_leaves_out_its_absent_class(study: Study) -> None:
    table = collect([study.model_folder(TRAINERS[0])], FOLDS)
    mean = case_values(table, TRAINERS[0]).xs("case_03", level="case").item()
    assert mean == case_values(table, TRAINERS[0], "Anterior").xs("case_03", level="case").item()
    assert case_values(table, TRAINERS[0], "Posterior").isna().sum() == 1


def test_fold_means_equal_nnunets_foreground_mean_where_no_class_is_absent(study: Study) -> None:
    from batchgenerators.utilities.file_and_folder_operations import load_json

    table = collect([study.model_folder(TRAINERS[1])], FOLDS)
    means = fold_means(case_values(table, TRAINERS[1]))
    for fold in (fold for fold in FOLDS if "case_03" not in study.splits[fold]["val"]):
        summary = load_json(str(study.model_folder(TRAINERS[1]) / f"fold_{fold}" / "validation" / "summary.json"))
        assert means[fold] == pytest.approx(summary["foreground_mean"]["Dice"], abs=1e-12)


def test_two_configurations_of_one_trainer_are_not_mixed() -> None:
    rows = [("D", "T", "P", configuration, 0, "a", "x", "Dice", 0.5) for configuration in ("2d", "3d_fullres")]
    with pytest.raises(ValueError, match="more than one value per case"):
        case_values(pd.DataFrame(rows, columns=list(COLUMNS)), "T")


def test_an_unknown_trainer_is_refused_with_those_that_exist(study: Study) -> None:
    table = collect([study.model_folder(TRAINERS[0])], [0])
    with pytest.raises(ValueError, match=r"nnUNetTrainerX.*\['nnUNetTrainer'\]"):
        case_values(table, "nnUNetTrainerX")
