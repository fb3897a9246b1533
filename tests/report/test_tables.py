"""The tables that people read hold what was computed, and leave out what is not known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from nnunet_skipx.report import tables, training_tables
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.exports import comparison_json
from nnunet_skipx.results.collect import collect
from nnunet_skipx.results.row_cost import RowCost
from nnunet_skipx.results.training_log import TrainingLog, parse_training_log
from nnunet_skipx.statistics.means import Interval
from nnunet_skipx.statistics.ranking import consensus
from tests.made_up_study import DATASET, DATASET_JSON, EXPERT_LINES, FOLDS, TRAINERS, Study, log_text

NAN = float("nan")


@pytest.fixture
def comparison(study: Study) -> Comparison:
    table = collect(list(study.model_folders.values()), FOLDS)
    return Comparison(DATASET, table, TRAINERS[0], DATASET_JSON)


def with_replicates(comparison: Comparison) -> Comparison:
    """The first row trained three times, 0.1 worse each time."""
    first = comparison.table[comparison.table["row"] == TRAINERS[0]]
    again = [first.assign(replicate=number, value=first["value"] - 0.1 * (number - 1)) for number in (2, 3)]
    return dataclasses.replace(comparison, table=pd.concat([comparison.table, *again]))


def a_log(epochs: int, loss: float = 0.5, extra: tuple[str, ...] = ()) -> TrainingLog:
    lines = "".join(log_text(epoch, loss=loss if epoch else 0.5, extra=extra) for epoch in range(epochs))
    return parse_training_log(lines.splitlines())


def test_every_table_names_its_rows_in_the_first_column(comparison: Comparison) -> None:
    for build in (tables.result_table, tables.contrast_table, tables.ranking_table, training_tables.fold_table):
        made = build(comparison)
        assert made.columns[0] == "Row"
        assert set(made["Row"]) <= set(TRAINERS) and len(made)
        assert made.map(lambda cell: isinstance(cell, str)).all(axis=None)


def test_folds_are_listed_and_replicates_where_there_are_several(comparison: Comparison) -> None:
    once = training_tables.fold_table(comparison)
    assert list(once.columns) == ["Row", *(f"Fold {fold}" for fold in FOLDS)]
    several = training_tables.fold_table(with_replicates(comparison))
    first, second = several.to_dict("records")
    means = [float(mean) for mean in first["Replicates"].split(", ")]
    assert means == pytest.approx([means[0], means[0] - 0.1, means[0] - 0.2], abs=0.0011)
    assert (first["SD of replicates"], second["SD of replicates"]) == ("0.1000", "–")
    assert float(first["SD of trained networks"]) == pytest.approx(0.1, abs=0.0001)
    assert 0 < float(first["ICC"]) < 1 and second["ICC"] == "–"


ROW, TWIN, FLOPSTWIN, PARTLY = (TRAINERS[1] + option for option in ("", "_twin", "_flopstwin", "_without-mixing"))
CLAIMED = ("adaptivity", "mixing", "balance")


def beside_twins(comparison: Comparison, costs: dict[str, RowCost] | None = None) -> Comparison:
    """The second trainer's row and three twins with the scores of the first."""
    first = comparison.table[comparison.table["row"] == TRAINERS[0]]
    more = [first.assign(row=name) for name in (TWIN, FLOPSTWIN, PARTLY)]
    return dataclasses.replace(comparison, table=pd.concat([comparison.table, *more]), costs=costs or {})


def against_twins(comparison: Comparison) -> list[tuple[str, str]]:
    """What the row is compared with beside the baseline, and the cost of that."""
    lines = tables.contrast_table(comparison)[["Against", "Cost of the twin"]].to_numpy().tolist()
    assert lines[:4] == [[TRAINERS[0], "–"]] * 4
    return [tuple(line) for line in lines[4:]]


def test_a_twin_is_named_with_what_it_lacks_and_what_it_costs(comparison: Comparison) -> None:
    costs = {
        TRAINERS[0]: RowCost(parameters=1000, gflops=1.0),
        ROW: RowCost(parameters=2000, gflops=4.0, claimed=CLAIMED),
        TWIN: RowCost(parameters=1980, gflops=3.0, claimed=CLAIMED, removed=("adaptivity", "balance")),
        FLOPSTWIN: RowCost(gflops=4.01, claimed=CLAIMED, removed=CLAIMED),
        PARTLY: RowCost(claimed=CLAIMED, removed=("mixing",)),
    }
    made = beside_twins(comparison, costs)
    assert against_twins(made) == [
        (f"{TWIN} (twin without adaptivity and balance)", "0.99 of the parameters, 0.75 of the operations"),
        (f"{FLOPSTWIN} (twin without adaptivity, mixing and balance)", "1.00 of the operations"),
        (f"{PARTLY} (twin without mixing)", "–"),
    ]
    assert [sentence.partition("So nothing here shows that ")[2] for sentence in made.sentences[4:]] == [
        f"the adaptivity and the balance of {ROW} do more than its parameters alone.",
        f"the mechanism of {ROW} does more than its operations alone.",
        f"the mixing of {ROW} does more than its parameters alone.",
    ]


def test_of_trainers_that_do_not_say_what_they_lack_only_the_name_tells(comparison: Comparison) -> None:
    made = beside_twins(comparison)
    assert against_twins(made) == [
        (f"{TWIN} (its twin)", "–"),
        (f"{FLOPSTWIN} (its twin)", "–"),
        (f"{PARTLY} (twin without mixing)", "–"),
    ]
    assert ["what its twin leaves out" in sentence for sentence in made.sentences[4:]] == [True, True, False]
    assert f"shows that the mixing of {ROW} does more" in made.sentences[-1]
    assert not any("mechanism" in sentence for sentence in made.sentences)


def test_without_twins_there_is_no_column_for_them(comparison: Comparison) -> None:
    assert "Cost of the twin" not in tables.contrast_table(comparison)


def test_cost_has_a_column_for_what_any_row_knows(comparison: Comparison) -> None:
    costs = {TRAINERS[0]: RowCost(parameters=1_234_567, hours_per_fold=1.5), TRAINERS[1]: RowCost(training_mb=2048.0)}
    made = tables.cost_table(dataclasses.replace(comparison, costs=costs))
    assert made.to_dict("records") == [
        {"Row": TRAINERS[0], "Parameters": "1,234,567", "MB, training step": "–", "Hours per fold": "1.50"},
        {"Row": TRAINERS[1], "Parameters": "–", "MB, training step": "2,048", "Hours per fold": "–"},
    ]


def test_health_counts_over_all_folds(comparison: Comparison) -> None:
    logs = {
        TRAINERS[0]: {0: a_log(3), 1: a_log(2)},
        TRAINERS[1]: {0: a_log(3, loss=NAN, extra=("Skipped steps: 2",)), 1: a_log(3, extra=("Skipped steps: 5",))},
    }
    first, second = training_tables.health_table(dataclasses.replace(comparison, logs=logs)).to_dict("records")
    assert first == {
        "Row": TRAINERS[0],
        "Folds": "2",
        "Epochs": "2 to 3",
        "Epochs with a loss of NaN": "0",
        "Skipped steps": "–",
        "Balance loss at the end": "–",
    }
    assert (second["Epochs"], second["Epochs with a loss of NaN"], second["Skipped steps"]) == ("3", "2", "21")
    one_sided = a_log(2, extra=EXPERT_LINES)
    one_sided.epochs.loc[1, "val_loss"] = NAN
    (line,) = training_tables.health_table(dataclasses.replace(comparison, logs={"T": {0: one_sided}})).to_dict(
        "records"
    )
    assert (line["Epochs with a loss of NaN"], line["Balance loss at the end"]) == ("1", "0.125")


def test_the_baseline_and_the_rope_are_those_of_the_comparison(comparison: Comparison) -> None:
    other = dataclasses.replace(comparison, baseline=TRAINERS[1])
    difference = f"Difference to {TRAINERS[1]} [95 % CI], p (t-test, Holm)"
    assert tables.result_table(other)[difference].tolist()[1] == "baseline"
    wide = dataclasses.replace(comparison, rope=0.9)
    assert "p < 0.001" in tables.contrast_table(wide)["Two one-sided t-tests (Holm)"].item()
    assert "p < 0.001" not in tables.contrast_table(comparison)["Two one-sided t-tests (Holm)"].item()
    assert "within 0.9 Dice" in wide.sentences[0]


def test_nnunets_mean_is_shown_where_it_is_another_one(comparison: Comparison) -> None:
    means = {row.name: f"{row.foreground_mean:.3f}" for row in comparison.rows}  # one case lacks a class
    for table in (tables.result_table(comparison), tables.terminal_table(comparison)):
        assert table["foreground_mean"].tolist() == list(means.values())
    whole = dataclasses.replace(comparison, table=comparison.table[comparison.table["case"] != "case_03"])
    assert "foreground_mean" not in tables.result_table(whole) and "foreground_mean" not in tables.terminal_table(whole)


def test_every_format_has_the_same_verdict(comparison: Comparison) -> None:
    worse = comparison.table.copy()
    mine = worse["row"] == TRAINERS[1]
    worse.loc[mine, "value"] -= np.random.default_rng(0).normal(0.5, 0.01, mine.sum())
    made = dataclasses.replace(comparison, table=worse)
    for table in (tables.result_table(made), tables.terminal_table(made)):
        assert table["Verdict"].tolist() == ["–", "worse"]
    assert tables.contrast_table(made)["Verdict"].tolist() == ["worse"]
    assert "is worse than" in made.sentences[0]
    assert comparison_json(made)["contrasts"][0]["verdict"] == "worse"


def test_what_cannot_be_decided_has_its_reason_in_the_place_of_a_p(comparison: Comparison) -> None:
    one_fold = dataclasses.replace(comparison, table=comparison.table.assign(fold=0))
    line = tables.contrast_table(one_fold).iloc[0]
    assert line["Verdict"] == "undecided"
    assert line["t-test (Holm)"] == line["Two one-sided t-tests (Holm)"] == "one training"


def test_ranks_are_sorted_from_the_best_and_show_who_is_tied(comparison: Comparison) -> None:
    assert tables.ranking_table(comparison)[["Tie group", "Place"]].to_numpy().tolist() == [["a", "1 to 2"]] * 2
    worse = comparison.table.copy()
    mine = worse["row"] == TRAINERS[0]
    worse.loc[mine, "value"] -= np.random.default_rng(0).normal(0.5, 0.01, mine.sum())
    made = tables.ranking_table(dataclasses.replace(comparison, table=worse))
    assert made["Row"].tolist() == [TRAINERS[1], TRAINERS[0]]
    assert made[["Tie group", "Place"]].to_numpy().tolist() == [["a", "1"], ["b", "2"]]


def test_the_effect_size_is_of_pairs(comparison: Comparison) -> None:
    same = comparison.table.assign(value=comparison.table["value"].where(comparison.table["case"] != "case_05", 0.5))
    comparison = dataclasses.replace(comparison, table=same)
    pairs = comparison.case_means[TRAINERS[1]] - comparison.case_means[TRAINERS[0]]
    wins, ties, losses = ((np.sign(pairs.round(9)) == sign).sum() for sign in (1, 0, -1))
    share = (wins + ties / 2) / len(pairs)
    shown = tables.contrast_table(comparison)["Cases better"].item()
    assert shown == f"{100 * share:.0f} % ({wins} / {ties} / {losses})" and ties == 1
    assert comparison_json(comparison)["contrasts"][0]["share_better"] == pytest.approx(share)


def test_what_is_noted_of_any_row_has_a_column(comparison: Comparison) -> None:
    noted = {TRAINERS[0]: {"torch": "2.0", "command": "c"}, TRAINERS[1]: {"host": "a", "command": "d"}}
    made = training_tables.provenance_table(dataclasses.replace(comparison, provenance=noted))
    assert made.to_numpy().tolist() == [[TRAINERS[0], "2.0", "–"], [TRAINERS[1], "–", "a"]]


def test_a_consensus_lists_the_places_of_every_data_set() -> None:
    ranks = {"A": {"x": 1.0, "y": 2.0}, "B": {"x": 2.5, "y": 1.5}, "C": {"x": 1.0, "y": 2.0}}
    made = tables.consensus_table(consensus(ranks))
    assert made.to_dict("records") == [
        {"Row": "x", "Mean place": "1.33", "A": "1", "B": "2", "C": "1"},
        {"Row": "y", "Mean place": "1.67", "A": "2", "B": "1", "C": "2"},
    ]


def test_numbers_without_an_interval_show_how_many_cases_there_were() -> None:
    assert tables.format_interval(Interval(0.5, NAN, NAN, NAN, 1, 0)) == "0.500 (n = 1)"
    assert tables.format_interval(Interval(NAN, NAN, NAN, NAN, 0, 3)) == "– (n = 0)"
    assert tables.format_signed(Interval(0.5, NAN, NAN, NAN, 1, 0)) == "+0.500 (n = 1)"
    assert tables.format_signed(Interval(*np.array([0.1, -0.2, 0.3, 0.1]), 9, 0)) == "+0.100 [-0.200, +0.300]"
