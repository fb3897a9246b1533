"""contrasts: numbers per row, and contrasts between those that belong together."""

import numpy as np
import pandas as pd
import pytest

from nnunet_skipx.results.collect import collect
from nnunet_skipx.statistics.adjustment import holm
from nnunet_skipx.statistics.contrasts import contrasts, metric_rows, summary_rows
from nnunet_skipx.statistics.means import ROPE, PairedDifference, case_values, mean_interval, paired_difference
from tests.made_up_study import FOLDS, TRAINERS, Study
from tests.statistics.test_scores import table_of


@pytest.fixture
def table(study: Study) -> pd.DataFrame:
    return collect(list(study.model_folders.values()), FOLDS)


def renamed(table: pd.DataFrame, old: str, new: str) -> pd.DataFrame:
    """The rows of one model under another name."""
    return table[table["row"] == old].assign(row=new)


def difference_of(table: pd.DataFrame, row: str, against: str, metric: str = "Dice") -> PairedDifference:
    """What the contrast of a table without invented structures must hold; no ROPE for other metrics than Dice."""
    one, other = (case_values(table, name, metric=metric) for name in (row, against))
    folds = one.index.get_level_values("fold").tolist()
    rope = ROPE if metric == "Dice" else float("nan")
    comparisons = table["row"].nunique() - 1
    return paired_difference(one.to_numpy()[None], other.to_numpy()[None], folds, rope, comparisons)


def test_rows_hold_the_numbers_of_the_table(table: pd.DataFrame) -> None:
    first, second = summary_rows(table)
    assert [first.name, second.name] == list(TRAINERS)
    values = table[(table["row"] == TRAINERS[0]) & (table["label"] == "Posterior")]["value"]
    assert first.per_class["Posterior"].value == pytest.approx(values.mean())
    assert first.per_class["Posterior"].dropped == 1
    assert set(first.fold_means) == set(FOLDS)
    assert first.replicate_means == {1: pytest.approx(first.mean.value)}


def test_a_class_of_few_cases_counts_as_much_as_others_in_the_mean_of_nnunet() -> None:
    values = np.column_stack([np.full(10, 0.9), [0.1, *[float("nan")] * 9]])
    (row,) = summary_rows(table_of({"A": values}))
    assert row.mean.value == pytest.approx(0.86)
    assert row.foreground_mean == pytest.approx(0.5)


def test_replicates_have_means_of_their_own(table: pd.DataFrame) -> None:
    again = table.assign(replicate=2, value=table["value"] / 2)
    row = summary_rows(pd.concat([table, again]))[0]
    assert row.replicate_means == {1: pytest.approx(row.mean.value / 0.75), 2: pytest.approx(row.mean.value / 1.5)}


def test_every_row_but_the_baseline_is_compared_with_it(table: pd.DataFrame) -> None:
    (contrast,) = contrasts(table, TRAINERS[0])
    assert (contrast.row, contrast.against, contrast.kind) == (TRAINERS[1], TRAINERS[0], "baseline")
    assert contrast.difference == difference_of(table, TRAINERS[1], TRAINERS[0])
    assert contrast.p == contrast.difference.p


def test_a_row_is_compared_with_its_twin_and_holm_counts_all(table: pd.DataFrame) -> None:
    twin = f"{TRAINERS[1]}_twin"
    better = renamed(table, TRAINERS[0], TRAINERS[1])
    better["value"] += 0.01 * (np.arange(len(better)) % 5)
    whole = pd.concat([renamed(table, TRAINERS[0], TRAINERS[0]), better, renamed(table, TRAINERS[0], twin)])
    found = contrasts(whole, TRAINERS[0], twins=[(TRAINERS[1], twin)])
    assert [(c.row, c.against, c.kind) for c in found] == [
        (TRAINERS[1], TRAINERS[0], "baseline"),
        (twin, TRAINERS[0], "baseline"),
        (TRAINERS[1], twin, "twin"),
    ]
    assert [c.p for c in found] == pytest.approx(holm([c.difference.p for c in found]).tolist(), nan_ok=True)
    assert found[0].p > found[0].difference.p


def test_a_pair_that_is_both_counts_once(table: pd.DataFrame) -> None:
    twin = f"{TRAINERS[1]}_twin"
    pair = pd.concat([renamed(table, TRAINERS[1], TRAINERS[1]), renamed(table, TRAINERS[0], twin)])
    one, other = contrasts(pair, twin, twins=[(TRAINERS[1], twin)])
    assert (one.kind, other.kind) == ("baseline", "twin")
    assert one.p == other.p == one.difference.p


def test_of_several_twins_each_is_a_contrast_and_holm_counts_every_pair_once(table: pd.DataFrame) -> None:
    row = TRAINERS[1]
    names = [f"{row}_twin", f"{row}_without-mixing", row, f"{row}_flopstwin"]
    parts = [renamed(table, TRAINERS[0], name) for name in names]
    for number, part in enumerate(parts):
        part["value"] -= 0.01 * number * part["case"].str.contains("[1-7]")
    found = contrasts(pd.concat(parts), names[0], twins=[(row, names[0]), (row, names[1]), (row, names[3])])
    pairs = [(names[1], names[0]), (row, names[0]), (names[3], names[0]), (row, names[1]), (row, names[3])]
    assert [(c.row, c.against) for c in found if c.kind == "baseline"] == pairs[:3]
    assert [(c.row, c.against) for c in found if c.kind == "twin"] == [(row, names[0]), *pairs[3:]]
    once = [c for c in found if c.kind == "baseline" or c.against != names[0]]
    assert [(c.row, c.against) for c in once] == pairs
    assert [c.p for c in once] == pytest.approx(holm([c.difference.p for c in once]).tolist())
    assert found[3].p == found[1].p > found[1].difference.p


def test_other_metrics_are_compared_and_adjusted_within_themselves(table: pd.DataFrame) -> None:
    third = renamed(table, TRAINERS[1], "third")
    other = pd.concat([table, third.assign(value=third["value"].clip(0.5, 0.5))])
    whole = pd.concat([other, other.assign(metric="NSD", value=other["value"] ** 2)])
    rows = metric_rows(whole, TRAINERS[0])
    assert [(row.metric, row.row) for row in rows] == [("NSD", name) for name in (*TRAINERS, "third")]
    assert rows[0].contrast is None
    assert rows[1].mean == mean_interval(case_values(whole, TRAINERS[1], metric="NSD"))
    found = [row.contrast for row in rows if row.contrast is not None]
    others = [difference_of(whole, name, TRAINERS[0], "NSD") for name in (TRAINERS[1], "third")]
    assert repr([c.difference for c in found]) == repr(others)  # NaN, as there is no ROPE
    assert [c.p for c in found] == pytest.approx(holm([c.difference.p for c in found]).tolist())


def test_a_row_with_other_folds_and_an_unknown_baseline_are_refused(table: pd.DataFrame) -> None:
    cut = table[~((table["row"] == TRAINERS[1]) & (table["fold"] == 2))]
    with pytest.raises(ValueError, match="cases are in the results of one row only"):
        contrasts(cut, TRAINERS[0])
    with pytest.raises(ValueError, match="baseline 'nnUNetTrainerNobody' has no Dice"):
        contrasts(table, "nnUNetTrainerNobody")
