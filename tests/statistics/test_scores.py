"""Structures that are in neither map: who is right to find nothing is never worse off than who invents something."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.results.collect import COLUMNS
from nnunet_skipx.statistics.contrasts import contrasts, metric_rows
from nnunet_skipx.statistics.ranking import rank_models
from nnunet_skipx.statistics.scores import Empties, case_table, on_equal_terms, row_scores

NAN = float("nan")
FOLDS = 5
# Dice of a structure that both have seen, one that is there and was missed or not met, and one that is nowhere.
CELLS = st.sampled_from([0.0, 0.3, 0.9])


def table_of(rows: dict[str, np.ndarray], metric: str = "Dice", replicate: int = 1, folds: int = FOLDS) -> pd.DataFrame:
    """Row -> values (case,) or (case, label), dealt to folds in turn."""
    lines = [
        ("D", row, row, "P", "C", replicate, case % folds, f"c{case:02d}", f"label {label}", metric, value)
        for row, values in rows.items()
        for case, line in enumerate(values.reshape(len(values), -1))
        for label, value in enumerate(line)
    ]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def false_positives(scatter: float = 0.0, found: int = 10) -> pd.DataFrame:
    """20 of 40 cases are healthy. A rejects all; B is +0.004 elsewhere, and invents lesions in some."""
    rng = np.random.default_rng(0)
    good, gain = rng.beta(20, 4, 40), 0.004 + rng.normal(0, scatter, 40)
    healthy = np.arange(40) % 2 == 1
    invented = healthy & (np.cumsum(healthy) <= found)
    return table_of(
        {"A": np.where(healthy, NAN, good), "B": np.where(invented, 0, np.where(healthy, NAN, good + gain))}
    )


def test_who_invents_lesions_in_healthy_cases_does_not_win() -> None:
    (contrast,) = contrasts(false_positives(), "A")
    assert contrast.empties == Empties(both=10, one=10)
    assert contrast.difference.interval.value == pytest.approx((20 * 0.004 - 10) / 30)
    assert contrast.difference.interval.n == 30
    ranking = rank_models(case_table(row_scores(false_positives()))[0])
    assert ranking.n == 30
    assert ranking.table["mean_rank"].to_dict() == pytest.approx({"A": (20 * 2 + 10) / 30, "B": (20 + 10 * 2) / 30})


def test_left_out_the_invented_lesions_are_counted_and_do_not_count() -> None:
    (contrast,) = contrasts(false_positives(), "A", rule="left-out")
    assert contrast.empties == Empties(both=10, one=10)
    assert contrast.difference.interval.value == pytest.approx(0.004)
    assert contrast.difference.interval.n == 20


@given(st.lists(st.tuples(CELLS, CELLS, st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=8))
def test_equal_terms_are_equal_and_each_structure_is_scored_by_what_the_row_did(cells: list[tuple]) -> None:
    there, one, other = (np.array(column) for column in zip(*((c[2], c[0], c[1]) for c in cells), strict=True))
    predicted = np.array([cell[3:] for cell in cells]).T
    # Of a structure that is not there, a prediction has Dice 0 and no prediction none.
    rows = {
        name: np.where(there, dice, np.where(found, 0.0, NAN))
        for name, dice, found in zip("ab", (one, other), predicted, strict=True)
    }
    (first, second), empties = on_equal_terms(list(row_scores(table_of(rows, folds=1)).values()))
    np.testing.assert_array_equal(np.isnan(first), np.isnan(second))
    assert np.isnan(first).sum() == empties.both == (~there & ~predicted.any(0)).sum()
    assert empties.one == (~there & (predicted[0] != predicted[1])).sum()
    scores = {"a": first[0, :, 0], "b": second[0, :, 0]}
    for name, found in zip("ab", predicted, strict=True):
        some = ~there & predicted.any(0)
        np.testing.assert_array_equal(scores[name][some], np.where(found, 0, 1)[some])
        np.testing.assert_array_equal(scores[name][there], rows[name][there])


def test_each_replicate_is_scored_by_what_it_did() -> None:
    once = table_of({"a": np.array([NAN, 0.5]), "b": np.array([NAN, 0.5])})
    again = table_of({"a": np.array([0.0, 0.7]), "b": np.array([NAN, 0.5])}, replicate=2)
    means, empties = case_table(row_scores(pd.concat([once, again])))
    assert means.to_numpy().tolist() == [[0.5, 1.0], [pytest.approx(0.6), 0.5]]
    assert empties == Empties(one=1)


def test_a_class_that_one_row_invents_lowers_its_mean_over_classes() -> None:
    rows = {"a": np.array([[0.9, NAN]]), "b": np.array([[0.9, 0.0]])}
    assert case_table(row_scores(table_of(rows)))[0].to_numpy().tolist() == [[pytest.approx(0.95), 0.45]]
    assert case_table(row_scores(table_of(rows)), "left-out")[0].to_numpy().tolist() == [[0.9, 0.9]]


def test_shares_follow_dice_and_distances_are_left_out() -> None:
    dice = {"a": np.array([NAN, 0.8, 0.8]), "b": np.array([0.0, 0.8, 0.8])}
    nsd = {"a": np.array([NAN, 0.7, NAN]), "b": np.array([0.0, 0.7, 0.7])}  # one label map could not be read
    hd95 = {"a": np.array([NAN, 3.0, 3.0]), "b": np.array([NAN, 3.0, NAN])}
    table = pd.concat([table_of(dice), table_of(nsd, "NSD"), table_of(hd95, "HD95")])
    made = {line.metric: line.contrast for line in metric_rows(table, "a") if line.contrast is not None}
    assert made["NSD"].empties == Empties(one=1, undefined=1)
    assert made["NSD"].difference.interval.value == pytest.approx(-0.5)
    assert made["HD95"].empties == Empties(undefined=1)
    assert made["HD95"].difference.interval.n == 1


def test_an_unread_label_map_in_a_healthy_case_is_not_scored() -> None:
    dice = {"a": np.array([NAN, 0.8]), "b": np.array([0.0, 0.8])}
    nsd = {"a": np.array([NAN, 0.7]), "b": np.array([NAN, 0.7])}
    scores = row_scores(pd.concat([table_of(dice), table_of(nsd, "NSD")]), "NSD")
    means, empties = case_table(scores)
    assert empties == Empties(undefined=1)
    assert np.isnan(means.to_numpy()[0]).all()
