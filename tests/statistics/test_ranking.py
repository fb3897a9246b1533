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

from nnunet_skipx.statistics.means import mean_intervals
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


@given(TABLES)
def test_intervals_are_those_of_a_mean_over_cases_and_networks(values: np.ndarray) -> None:
    folds = [case % 2 for case in range(len(values))]
    (*expected,) = mean_intervals(rankdata(-values, axis=1)[None], folds, (1, values.shape[1]))
    for line, interval in zip(rank_models(study_of(values)).table.itertuples(), expected, strict=True):
        if np.isnan(interval.low):
            assert line.low == line.mean_rank == line.high, "the same rank in every case"
        else:
            assert (line.low, line.high) == pytest.approx((interval.low, interval.high))


def test_draws_are_as_wide_as_the_intervals_and_give_the_places() -> None:
    values = np.random.default_rng(2).normal([0, 0, 0.1], 1, (60, 3))
    ranking = rank_models(study_of(values))
    assert ranking.table["kept"].min() > 0.1 and ranking.table["kept"].max() < 1
    far = rank_models(study_of(values + np.array([0, 5, 10])))
    assert far.places.to_numpy()[[0, 1, 2], [2, 1, 0]].tolist() == [1, 1, 1]


def replicated(seed_sd: float, replicates: int, seed: int, models: int = 3, cases: int = 60) -> pd.DataFrame:
    """Equal architectures, whose trained networks differ by luck."""
    rng = np.random.default_rng(seed)
    folds = np.arange(cases) % 5
    networks = rng.normal(0, seed_sd, (replicates, 5, models))[:, folds]
    values = rng.normal(0.8, 0.05, (cases, 1)) + networks + rng.normal(0, 0.01, (replicates, cases, models))
    index = pd.MultiIndex.from_tuples(
        [(r, fold, f"case_{case}") for r in range(replicates) for case, fold in enumerate(folds)],
        names=["replicate", "fold", "case"],
    )
    return pd.DataFrame(values.reshape(-1, models), index, list("abc")[:models])


@pytest.mark.slow
def test_with_replicates_intervals_and_places_know_the_luck_of_the_trainings() -> None:
    tables = [rank_models(replicated(0.01, 3, seed)).table for seed in range(150)]
    assert np.mean([((table["low"] > 2) | (table["high"] < 2)).mean() for table in tables]) < 0.09
    assert np.mean([(table["kept"] > 0.95).any() for table in tables]) < 0.06


def test_networks_of_one_replicate_are_ranked_with_each_other() -> None:
    one, other = replicated(0.0, 1, 0), replicated(0.0, 1, 1)
    both = pd.concat({1: one.droplevel("replicate"), 2: other.droplevel("replicate")}, names=["replicate"])
    means = [rank_models(part).table["mean_rank"] for part in (one, other)]
    found = rank_models(both)
    np.testing.assert_allclose(found.table["mean_rank"], np.mean(means, axis=0))
    assert (found.training, rank_models(one).training, found.n) == ("replicates", "folds", 60)


def test_cases_of_one_patient_count_once() -> None:
    single = replicated(0.0, 1, 3)
    twice = pd.concat([single, single.rename(index=lambda name: f"{name}_again", level="case")])
    cases = twice.index.get_level_values("case")
    found = rank_models(twice, cases.str.removesuffix("_again").tolist())
    assert_frame_equal(
        found.table[["mean_rank", "low", "high"]], rank_models(single).table[["mean_rank", "low", "high"]]
    )


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
def test_a_model_that_is_best_in_every_case_is_first_in_every_draw(values: np.ndarray) -> None:
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
def test_fewer_than_six_cases_have_no_draws(cases: int) -> None:
    ranking = rank_models(study_of(np.array([[0.5, 0.7]] * 5)[:cases]))
    assert ranking.n == cases
    assert ranking.table[["low", "high", "kept"]].isna().all(axis=None) and ranking.places.isna().all(axis=None)
    np.testing.assert_array_equal(ranking.table["mean_rank"], [2, 1] if cases else [np.nan] * 2)


def test_one_case_per_fold_is_not_certain() -> None:
    values = np.random.default_rng(4).random((8, 3))
    assert (rank_models(study_of(values, folds=8)).table["kept"] < 1).any()


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
