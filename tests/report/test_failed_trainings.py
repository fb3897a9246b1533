"""Trainings that learned nothing of a class are named beside the verdicts."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.exports import write_exports
from nnunet_skipx.report.failed_trainings import failed_trainings
from nnunet_skipx.report.page import terminal_text
from tests.report.pages import write

SENTENCE = "Nothing of a class was learned"
ROWS, LABELS = ("A", "B"), ("liver", "tumour")


@pytest.fixture
def table() -> pd.DataFrame:
    """Two rows, two replicates, two folds of four cases."""
    lines = [
        (row, replicate, fold, f"{fold}_{case}", label, 0.8)
        for row in ROWS
        for replicate in (1, 2)
        for fold in (0, 1)
        for case in range(4)
        for label in LABELS
    ]
    return pd.DataFrame(lines, columns=["row", "replicate", "fold", "case", "label", "value"])


def fails(table: pd.DataFrame, row: str, replicate: int, fold: int, label: str, value: float = 0.01) -> pd.DataFrame:
    cells = (table["row"] == row) & (table["replicate"] == replicate)
    return table.assign(value=table["value"].mask(cells & (table["fold"] == fold) & (table["label"] == label), value))


def test_nothing_is_said_of_trainings_that_learned(table: pd.DataFrame) -> None:
    assert failed_trainings(table, None, "trained network") == ""
    assert failed_trainings(fails(table, "A", 1, 0, "liver", value=0.1), None, "trained network") == ""


def test_those_that_learned_nothing_of_a_class_are_counted_and_named(table: pd.DataFrame) -> None:
    for label in LABELS:
        table = fails(fails(table, "A", 2, 1, label), "B", 1, 0, label)
    told = failed_trainings(fails(table, "B", 2, 0, "tumour"), None, "trained network")
    assert "by 1 of 4 trained networks of A (liver: replicate 2 fold 1, tumour: replicate 2 fold 1)," in told
    assert (
        "2 of 4 trained networks of B (liver: replicate 1 fold 0, tumour: replicate 1 fold 0, tumour: replicate 2"
        in told
    )
    once = failed_trainings(table[table["replicate"] == 2], None, "trained network")
    assert "1 of 2 trained networks of A (liver: fold 1, tumour: fold 1):" in once


def test_cases_without_the_class_and_too_few_of_them_tell_nothing(table: pd.DataFrame) -> None:
    failed = fails(table, "A", 1, 0, "tumour", value=0.0)
    presence = table.drop(columns="value").assign(in_reference=True, in_prediction=True)
    assert failed_trainings(failed, presence, "trained network")
    absent = presence.assign(in_reference=(presence["label"] != "tumour") | (presence["case"] > "0_1"))
    assert failed_trainings(failed, absent, "trained network") == "", "of four cases two have the class"


def test_it_stands_with_the_cautions_and_in_every_file(comparison: Comparison, tmp_path: Path) -> None:
    row, first = comparison.table["row"].iloc[0], comparison.table["fold"].iloc[0]
    cells = (comparison.table["row"] == row) & (comparison.table["fold"] == first)
    failed = dataclasses.replace(
        comparison, table=comparison.table.assign(value=comparison.table["value"].mask(cells, 0.0)), presence=None
    )
    assert not any(SENTENCE in text for text in (*comparison.cautions, *comparison.caveats))
    assert SENTENCE in write(failed, tmp_path)
    told = [path.suffix for path in write_exports([failed], tmp_path) if SENTENCE in path.read_text(errors="ignore")]
    assert sorted(told) == [".json", ".md", ".tex"]
    assert SENTENCE in terminal_text([failed])
