"""statistics: intervals that cover, comparisons that pair."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.results.collect import COLUMNS, collect
from nnunet_skipx.statistics.means import (
    case_values,
    fold_means,
    mean_interval,
    mean_intervals,
    paired_difference,
)
from tests.made_up_study import FOLDS, TRAINERS, Study

DICE = st.floats(0, 1)
NAN = float("nan")


def by_case(values: list[float]) -> pd.Series:
    index = pd.MultiIndex.from_tuples([(n % 2, f"case_{n}") for n in range(len(values))], names=["fold", "case"])
    return pd.Series(values, index=index, dtype=float)


@given(st.lists(DICE | st.just(float("nan")), min_size=1, max_size=12))
def test_the_interval_is_repeatable_and_around_the_mean_without_a_warning(values: list[float]) -> None:
    known = [value for value in values if value == value]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interval = mean_interval(by_case(values))
        assert repr(interval) == repr(mean_interval(by_case(values)))
    assert (interval.n, interval.dropped) == (len(known), len(values) - len(known))
    assert np.isnan(interval.low) or interval.low < interval.value < interval.high


@given(DICE, st.integers(2, 20))
def test_constant_scores_give_no_interval_rather_than_one_of_no_width(value: float, n: int) -> None:
    interval = mean_interval(by_case([value] * n))
    assert np.isnan([interval.low, interval.high]).all()
    assert interval.value == pytest.approx(value, abs=1e-12)


def test_an_interval_ends_where_the_metric_does() -> None:
    values = np.array([0.2, 1.0, 1.0, 1.0, 1.0, 1.0])[None, :, None]
    free, within = (mean_intervals(values, [0] * 6, bounds)[0] for bounds in ((-np.inf, np.inf), (0, 1)))
    assert free.high > 1 == within.high and free.low == within.low


@pytest.mark.parametrize("folds", [1, 2])
def test_the_training_is_in_the_interval_only_where_there_are_folds(folds: int) -> None:
    values = np.random.default_rng(0).beta(9, 1.5, 12)[None, :, None]
    (interval,) = mean_intervals(values, [case % folds for case in range(12)])
    assert interval.training == {1: "unknown", 2: "folds"}[folds]


def test_one_case_has_a_mean_but_no_interval() -> None:
    interval = mean_interval(by_case([0.5, float("nan")]))
    assert (interval.value, interval.n, interval.dropped) == (0.5, 1, 1)
    assert np.isnan([interval.low, interval.high]).all()


def test_no_case_at_all_gives_nan() -> None:
    assert np.isnan(mean_interval(by_case([float("nan")] * 3)).value)


def test_more_cases_narrow_the_interval() -> None:
    values = np.random.default_rng(0).beta(8, 2, (1, 500, 40))
    widths = [
        np.mean([i.high - i.low for i in mean_intervals(values[:, :n], [case % 5 for case in range(n)])])
        for n in (20, 500)
    ]
    assert widths[1] < 0.3 * widths[0]


def test_a_pair_with_nan_is_dropped_and_counted() -> None:
    one, other = np.array([[0.9, NAN, 0.8, 0.7]]), np.array([[0.8, 0.5, NAN, 0.5]])
    result = paired_difference(one, other, [0, 0, 1, 1])
    assert (result.interval.n, result.interval.dropped) == (2, 2)
    assert result.interval.value == pytest.approx(0.15)
    assert (result.wins, result.ties, result.losses) == (2, 0, 0)


def test_rounding_makes_no_winner() -> None:
    result = paired_difference(np.array([[0.1 + 0.2, 0.3, 0.2, 0.5]]), np.array([[0.3, 0.2, 0.4, 0.5]]), [0] * 4)
    assert (result.wins, result.ties, result.losses) == (1, 2, 1)


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


def test_an_unknown_trainer_is_refused_with_those_that_exist(study: Study) -> None:
    table = collect([study.model_folder(TRAINERS[0])], [0])
    with pytest.raises(ValueError, match=r"nnUNetTrainerX.*\['nnUNetTrainer'\]"):
        case_values(table, "nnUNetTrainerX")
