"""statistics: intervals that cover, comparisons that pair."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnunet_skipx.results.collect import COLUMNS, collect
from nnunet_skipx.statistics.means import (
    case_differences,
    case_values,
    fold_means,
    mean_interval,
    paired_difference,
)
from tests.made_up_study import FOLDS, TRAINERS, Study

DICE = st.floats(0, 1)


def by_case(values: list[float]) -> pd.Series:
    index = pd.MultiIndex.from_tuples([(n % 2, f"case_{n}") for n in range(len(values))], names=["fold", "case"])
    return pd.Series(values, index=index, dtype=float)


@settings(max_examples=40, deadline=None)
@given(st.lists(DICE | st.just(float("nan")), min_size=1, max_size=12))
def test_the_interval_is_repeatable_and_inside_the_data_without_a_warning(values: list[float]) -> None:
    known = [value for value in values if value == value]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interval = mean_interval(by_case(values))
        assert repr(interval) == repr(mean_interval(by_case(values)))
    assert (interval.n, interval.dropped) == (len(known), len(values) - len(known))
    if len(known) > 1:
        assert min(known) - 1e-9 <= interval.low <= interval.high <= max(known) + 1e-9


@given(DICE, st.integers(2, 20))
def test_constant_scores_give_an_interval_of_no_width(value: float, n: int) -> None:
    interval = mean_interval(by_case([value] * n))
    assert interval.low == interval.value == interval.high == pytest.approx(value, abs=1e-12)


def test_one_case_has_a_mean_but_no_interval() -> None:
    interval = mean_interval(by_case([0.5, float("nan")]))
    assert (interval.value, interval.n, interval.dropped) == (0.5, 1, 1)
    assert np.isnan([interval.low, interval.high]).all()


def test_no_case_at_all_gives_nan() -> None:
    assert np.isnan(mean_interval(by_case([float("nan")] * 3)).value)


def test_more_cases_narrow_the_interval() -> None:
    few, many = (mean_interval(by_case(list(np.random.default_rng(0).beta(8, 2, n)))) for n in (20, 500))
    assert many.high - many.low < 0.4 * (few.high - few.low)


@given(st.lists(st.tuples(DICE, DICE), min_size=1, max_size=15))
@settings(max_examples=40, deadline=None)
def test_swapping_trainer_and_baseline_turns_the_sign_and_keeps_p(pairs: list[tuple[float, float]]) -> None:
    first, second = (by_case(list(column)) for column in zip(*pairs, strict=True))
    one, other = paired_difference(first, second), paired_difference(second, first)
    assert one.interval.value == pytest.approx(-other.interval.value, abs=1e-12)
    assert (one.signed_rank, one.sign_flip) == pytest.approx((other.signed_rank, other.sign_flip))
    assert one.cliffs_delta == pytest.approx(-other.cliffs_delta)
    assert (one.wins, one.ties, one.losses) == (other.losses, other.ties, other.wins)
    assert one.detectable == pytest.approx(other.detectable, nan_ok=True)


def test_equal_results_have_no_difference_and_p_one() -> None:
    values = by_case([0.5, 0.7, 0.9])
    result = paired_difference(values, values.copy())
    assert (result.interval.value, result.interval.low, result.interval.high) == (0, 0, 0)
    assert (result.signed_rank, result.sign_flip, result.cliffs_delta, result.equivalence) == (1, 1, 0, 0)
    assert (result.wins, result.ties, result.losses) == (0, 3, 0)


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
    rows = [("D", "T", "T", "P", configuration, 1, 0, "a", "x", "Dice", 0.5) for configuration in ("2d", "3d_fullres")]
    with pytest.raises(ValueError, match="more than one value per case"):
        case_values(pd.DataFrame(rows, columns=list(COLUMNS)), "T")


def test_a_case_counts_with_its_mean_over_replicates() -> None:
    rows = [
        ("D", "T", "T", "P", "C", replicate, 0, case, "x", "Dice", value)
        for replicate, case, value in ((1, "a", 0.2), (2, "a", 0.6), (1, "b", 0.5), (2, "b", 0.5))
    ]
    assert case_values(pd.DataFrame(rows, columns=list(COLUMNS)), "T").tolist() == pytest.approx([0.4, 0.5])


@given(st.lists(DICE, min_size=2, max_size=12))
def test_the_sd_is_that_of_the_cases(values: list[float]) -> None:
    assert mean_interval(by_case(values)).sd == pytest.approx(np.std(values, ddof=1), abs=1e-9)


def test_equivalence_is_tested_within_the_rope_that_was_given() -> None:
    noise = np.random.default_rng(0).normal(0, 0.004, 30)
    first, second = by_case(list(0.8 + noise)), by_case([0.8] * 30)
    assert paired_difference(first, second, rope=0.01).equivalence < 0.05
    assert paired_difference(first, second, rope=0.0005).equivalence > 0.05


def test_an_unknown_trainer_is_refused_with_those_that_exist(study: Study) -> None:
    table = collect([study.model_folder(TRAINERS[0])], [0])
    with pytest.raises(ValueError, match=r"nnUNetTrainerX.*\['nnUNetTrainer'\]"):
        case_values(table, "nnUNetTrainerX")
