"""Rankings: those of scipy and of slow loops, the same in any order of models, and silent where nothing differs."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pandas.testing import assert_frame_equal
from scipy.stats import rankdata

from nnunet_skipx.statistics.bootstrap import resampling_counts
from nnunet_skipx.statistics.ranking import consensus, rank_models

GRID = st.integers(0, 20).map(lambda n: n / 20)
TABLES = st.tuples(st.integers(6, 9), st.integers(1, 4)).flatmap(lambda shape: arrays(float, shape, elements=GRID))
PLACES_OF_4 = st.lists(st.permutations([1, 2, 3, 4]), min_size=1, max_size=5)


def study_of(values: np.ndarray, folds: int = 2) -> pd.DataFrame:
    """Cases dealt to folds in turn; models are called a, b, c, ..."""
    index = pd.MultiIndex.from_tuples(
        [(case % folds, f"case_{case}") for case in range(len(values))], names=["fold", "case"]
    )
    return pd.DataFrame(values, index, [chr(ord("a") + model) for model in range(values.shape[1])])


@given(TABLES)
def test_mean_ranks_are_those_of_scipy_and_sum_to_what_they_must(values: np.ndarray) -> None:
    ranking, models = rank_models(study_of(values)), values.shape[1]
    np.testing.assert_allclose(ranking.table["mean_rank"], rankdata(-values, axis=1).mean(0), rtol=1e-12)
    np.testing.assert_array_equal(ranking.table["place"], rankdata(ranking.table["mean_rank"], method="min"))
    assert ranking.table["mean_rank"].sum() == pytest.approx(models * (models + 1) / 2)
    assert (ranking.table["low"] <= ranking.table["high"]).all()
    np.testing.assert_allclose(ranking.places.sum(axis=1), 1)
    assert list(ranking.places.columns) == list(range(1, models + 1))
    for model, place in ranking.table["place"].items():
        assert ranking.table.at[model, "kept"] == ranking.places.at[model, place]


@given(TABLES.filter(lambda values: len(values) % 2 == 0))
def test_the_bootstrap_is_that_of_a_slow_loop(values: np.ndarray) -> None:
    ranks = np.array([[1 + (row > x).sum() + ((row == x).sum() - 1) / 2 for x in row] for row in values])
    counts = resampling_counts((0, 1) * (len(values) // 2))
    drawn = np.array([np.repeat(ranks, times.astype(int), axis=0).mean(0) for times in counts])
    places = np.array([[1 + (row < x - 1e-9).sum() for x in row] for row in drawn])
    found = rank_models(study_of(values))
    k = len(values) / 2  # both folds are of this size, so that one factor widens the whole
    ends = ranks.mean(0) + np.sqrt(k / (k - 1)) * (np.percentile(drawn, [2.5, 97.5], axis=0) - ranks.mean(0))
    np.testing.assert_allclose(found.table[["low", "high"]].T, np.clip(ends, 1, values.shape[1]), atol=1e-12)
    for number in found.places:
        np.testing.assert_allclose(found.places[number], (places == number).mean(0), atol=1e-12)


def test_small_folds_do_not_narrow_the_interval_of_a_mean_rank() -> None:
    values = np.random.default_rng(9).random((21, 60))
    pairs, whole = (rank_models(study_of(values, folds)).table for folds in (7, 1))
    assert (pairs["high"] - pairs["low"]).mean() == pytest.approx((whole["high"] - whole["low"]).mean(), rel=0.05)


@given(TABLES, st.integers(0, 99))
def test_the_order_of_the_models_does_not_matter(values: np.ndarray, seed: int) -> None:
    study = study_of(values)
    order = list(np.random.default_rng(seed).permutation(study.columns))
    one, other = rank_models(study), rank_models(study[order])
    assert_frame_equal(other.table, one.table.loc[order])
    assert_frame_equal(other.places, one.places.loc[order])


@given(TABLES, st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.5, 3), st.floats(-1, 1)), min_size=9, max_size=9))
def test_only_the_order_within_a_case_matters(values: np.ndarray, bends: list[tuple[float, float, float]]) -> None:
    factor, power, shift = np.array(bends)[: len(values)].T[:, :, None]
    plain, bent = rank_models(study_of(values)), rank_models(study_of(factor * values**power + shift))
    assert_frame_equal(bent.table, plain.table)
    assert_frame_equal(bent.places, plain.places)


@given(TABLES)
def test_a_model_that_is_best_in_every_case_is_first_in_every_resample(values: np.ndarray) -> None:
    study = study_of(values).assign(best=2.0)
    assert rank_models(study).table.loc["best"].tolist() == [1, 1, 1, 1, 1]


def test_equal_models_tie() -> None:
    score = np.random.default_rng(0).beta(9, 1.5, size=(20, 1))
    same = study_of(np.hstack([score, score, score + 1e-15]))
    ranking = rank_models(same)
    assert (ranking.table[["mean_rank", "low", "high"]] == 2).all(axis=None)
    assert (ranking.table[["place", "kept"]] == 1).all(axis=None)


def test_cases_without_a_value_of_every_model_are_left_out_and_counted() -> None:
    holed = study_of(np.random.default_rng(1).random((10, 3)))
    holed.iloc[[2, 5], 1] = np.nan
    ranking = rank_models(holed)
    assert (ranking.n, ranking.dropped) == (8, 2)
    assert_frame_equal(ranking.table, rank_models(holed.dropna()).table)


@pytest.mark.parametrize("cases", [0, 1, 5])
def test_fewer_than_six_cases_are_not_resampled(cases: int) -> None:
    ranking = rank_models(study_of(np.array([[0.5, 0.7]] * 5)[:cases]))
    assert ranking.n == cases
    assert ranking.table[["low", "high", "kept"]].isna().all(axis=None) and ranking.places.isna().all(axis=None)
    np.testing.assert_array_equal(ranking.table["mean_rank"], [2, 1] if cases else [np.nan] * 2)


def test_folds_are_given_up_where_one_has_fewer_than_three_cases() -> None:
    values = np.random.default_rng(4).random((8, 3))
    assert_frame_equal(rank_models(study_of(values, folds=3)).table, rank_models(study_of(values, folds=1)).table)
    assert (rank_models(study_of(values, folds=8)).table["kept"] < 1).any(), "one case each, yet not certain"


@given(PLACES_OF_4)
def test_no_order_is_nearer_to_those_of_the_data_sets_than_the_consensus(places: list[list[int]]) -> None:
    models = "abcd"
    found = consensus({f"set {n}": dict(zip(models, column, strict=True)) for n, column in enumerate(places)})

    def distance(order: tuple[str, ...]) -> int:
        return sum(
            (column[models.index(model)] - place - 1) ** 2 for column in places for place, model in enumerate(order)
        )

    assert distance(tuple(found.mean.index)) == min(map(distance, permutations(models)))
    assert found.mean.is_monotonic_increasing
    np.testing.assert_allclose(found.mean.loc[list(models)], np.mean(places, axis=0))
    assert found.missing == {}


def test_the_consensus_names_whom_it_leaves_out_and_ranks_the_others_among_themselves() -> None:
    found = consensus(
        {
            "Heart": {"a": 1.2, "b": 2.0, "c": 2.8, "d": 4.0},
            "Liver": {"d": 1.5, "c": 1.5, "a": 3.0},
            "Brain": {"a": 1.0, "b": 2.0, "c": 3.0, "d": np.nan},
        }
    )
    assert found.missing == {"b": ["Liver"], "d": ["Brain"]}
    assert found.places.to_dict("index") == {
        "a": {"Heart": 1, "Liver": 2, "Brain": 1},
        "c": {"Heart": 2, "Liver": 1, "Brain": 2},
    }
    assert found.mean.to_dict() == pytest.approx({"a": 4 / 3, "c": 5 / 3})
    assert list(found.mean.index) == list(found.places.index) == ["a", "c"]


def test_in_the_consensus_equal_places_share_their_mean() -> None:
    assert consensus({"Heart": {"a": 1, "b": 1, "c": 3}}).mean.tolist() == [1.5, 1.5, 3]


@pytest.mark.parametrize("places", [{}, {"Heart": {"a": 1.0}, "Liver": {"b": 1.0}}])
def test_without_a_common_model_the_consensus_is_empty(places: dict[str, dict[str, float]]) -> None:
    found = consensus(places)
    assert found.mean.empty and found.places.empty
    assert set(found.missing) == ({"a", "b"} if places else set())
