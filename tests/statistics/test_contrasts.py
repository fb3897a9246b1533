"""contrasts: numbers per row, and contrasts between those that belong together."""

import pandas as pd
import pytest

from nnunet_skipx.results.collect import collect
from nnunet_skipx.statistics.contrasts import contrasts, metric_rows, summary_rows
from nnunet_skipx.statistics.means import case_values, mean_interval, paired_difference
from nnunet_skipx.statistics.paired import holm
from tests.made_up_study import FOLDS, TRAINERS, Study


@pytest.fixture
def table(study: Study) -> pd.DataFrame:
    return collect(list(study.model_folders.values()), FOLDS)


def renamed(table: pd.DataFrame, old: str, new: str) -> pd.DataFrame:
    """The rows of one model under another name."""
    return table[table["row"] == old].assign(row=new)


def test_rows_hold_the_numbers_of_the_table(table: pd.DataFrame) -> None:
    first, second = summary_rows(table)
    assert [first.name, second.name] == list(TRAINERS)
    values = table[(table["row"] == TRAINERS[0]) & (table["label"] == "Posterior")]["value"]
    assert first.per_class["Posterior"].value == pytest.approx(values.mean())
    assert first.per_class["Posterior"].dropped == 1
    assert set(first.fold_means) == set(FOLDS)
    assert first.replicate_means == {1: pytest.approx(first.mean.value)}


def test_replicates_have_means_of_their_own(table: pd.DataFrame) -> None:
    again = table.assign(replicate=2, value=table["value"] / 2)
    row = summary_rows(pd.concat([table, again]))[0]
    assert row.replicate_means == {1: pytest.approx(row.mean.value / 0.75), 2: pytest.approx(row.mean.value / 1.5)}


def test_every_row_but_the_baseline_is_compared_with_it(table: pd.DataFrame) -> None:
    (contrast,) = contrasts(table, TRAINERS[0])
    values = [case_values(table, name) for name in (TRAINERS[1], TRAINERS[0])]
    assert (contrast.row, contrast.against, contrast.kind) == (TRAINERS[1], TRAINERS[0], "baseline")
    assert contrast.difference == paired_difference(*values)
    assert contrast.p == contrast.difference.signed_rank


def test_a_row_is_compared_with_its_twin_and_holm_counts_all(table: pd.DataFrame) -> None:
    twin = f"{TRAINERS[1]}_twin"
    better = renamed(table, TRAINERS[0], TRAINERS[1])
    better["value"] += 0.01
    whole = pd.concat([renamed(table, TRAINERS[0], TRAINERS[0]), better, renamed(table, TRAINERS[0], twin)])
    found = contrasts(whole, TRAINERS[0], twins=[(TRAINERS[1], twin)])
    assert [(c.row, c.against, c.kind) for c in found] == [
        (TRAINERS[1], TRAINERS[0], "baseline"),
        (twin, TRAINERS[0], "baseline"),
        (TRAINERS[1], twin, "twin"),
    ]
    assert [c.p for c in found] == pytest.approx(holm([c.difference.signed_rank for c in found]).tolist())
    assert found[0].p > found[0].difference.signed_rank


def test_a_pair_that_is_both_counts_once(table: pd.DataFrame) -> None:
    twin = f"{TRAINERS[1]}_twin"
    pair = pd.concat([renamed(table, TRAINERS[1], TRAINERS[1]), renamed(table, TRAINERS[0], twin)])
    one, other = contrasts(pair, twin, twins=[(TRAINERS[1], twin)])
    assert (one.kind, other.kind) == ("baseline", "twin")
    assert one.p == other.p == one.difference.signed_rank


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
    assert [c.p for c in once] == pytest.approx(holm([c.difference.signed_rank for c in once]).tolist())
    assert found[3].p == found[1].p > found[1].difference.signed_rank


def test_other_metrics_are_compared_and_adjusted_within_themselves(table: pd.DataFrame) -> None:
    other = pd.concat([table, renamed(table, TRAINERS[1], "third").assign(value=0.5)])
    whole = pd.concat([other, other.assign(metric="NSD", value=other["value"] ** 2)])
    rows = metric_rows(whole, TRAINERS[0])
    assert [(row.metric, row.row) for row in rows] == [("NSD", name) for name in (*TRAINERS, "third")]
    assert rows[0].contrast is None
    assert rows[1].mean == mean_interval(case_values(whole, TRAINERS[1], metric="NSD"))
    found = [row.contrast for row in rows if row.contrast is not None]
    nsd = [case_values(whole, name, metric="NSD") for name in (*TRAINERS, "third")]
    assert [c.difference for c in found] == [paired_difference(nsd[1], nsd[0]), paired_difference(nsd[2], nsd[0])]
    assert [c.p for c in found] == pytest.approx(holm([c.difference.signed_rank for c in found]).tolist())


def test_a_row_with_other_folds_and_an_unknown_baseline_are_refused(table: pd.DataFrame) -> None:
    cut = table[~((table["row"] == TRAINERS[1]) & (table["fold"] == 2))]
    with pytest.raises(ValueError, match="cases are in the results of one row only"):
        contrasts(cut, TRAINERS[0])
    with pytest.raises(ValueError, match="baseline 'nnUNetTrainerNobody' has no Dice"):
        contrasts(table, "nnUNetTrainerNobody")
