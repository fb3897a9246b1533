"""Schedules: what the trainings differ in is named, fold by fold, and a short one is called a test run."""

import json
import re
import shutil
from pathlib import Path

import pytest

from nnunet_skipx.report.command import ReportOptions, report
from nnunet_skipx.results.schedules import difference, schedule_remarks, short_training_remark
from tests.made_up_study import FOLDS, TRAINERS, Study

EPOCHS = "epochs x iterations"


def trainings(*values: str, replicate: int = 1) -> dict[tuple[int, int], dict[str, str]]:
    return {(replicate, fold): {EPOCHS: value} for fold, value in enumerate(values)}


def test_rows_that_were_trained_alike_have_no_remark() -> None:
    assert difference({"A": trainings("9 x 5", "9 x 5"), "B": trainings("9 x 5")}, EPOCHS) == ""
    assert difference({"A": trainings("9 x 5"), "B": {(1, 0): {}}}, EPOCHS) == "", "what is unknown is no difference"


def test_other_schedules_are_named_and_so_is_a_fold_that_was_trained_shorter() -> None:
    told = difference({"A": trainings("9 x 5", "9 x 5", "3 x 5"), "B": trainings("8 x 5")}, EPOCHS)
    assert told == "The rows differ in epochs x iterations: 9 x 5 (fold 2: 3 x 5): A; 8 x 5: B."
    one = difference({"A": trainings("9 x 5", "9 x 5") | trainings("3 x 5", replicate=2)}, EPOCHS)
    assert one == "The rows differ in epochs x iterations: 9 x 5 (replicate 2 fold 0: 3 x 5): A."


@pytest.mark.parametrize(
    ("trained", "short"), [("1000 x 250", False), ("2000 x 125", False), ("250 x 250", True), ("1000 x 249", True)]
)
def test_less_than_nnunets_schedule_is_a_test_run(trained: str, short: bool) -> None:
    told = short_training_remark(
        {"A": trainings("1000 x 250"), "B": trainings("1000 x 250", trained), "C": {(1, 0): {}}}
    )
    assert told.startswith("A test run, not a result") == short
    assert (f"fewer: {trained}: B." in told) == short


@pytest.fixture
def trained(study: Study, tmp_path: Path) -> list[Path]:
    """The made-up study with what nnU-Net notes of a training, the second model's last fold shorter."""
    folders = []
    for trainer, folder in study.model_folders.items():
        copy = Path(shutil.copytree(folder, tmp_path / "results" / folder.parent.name / folder.name))
        for fold in FOLDS:
            epochs = "5" if (trainer, fold) == (TRAINERS[1], FOLDS[-1]) else "100"
            noted = {"num_epochs": epochs, "num_iterations_per_epoch": "250"}
            (copy / f"fold_{fold}" / "debug.json").write_text(json.dumps(noted))
        folders.append(copy)
    return folders


@pytest.mark.slow
def test_both_stand_in_every_format(trained: list[Path], tmp_path: Path) -> None:
    text = report([trained], FOLDS, tmp_path, ReportOptions())
    for written in (text, *((tmp_path / name).read_text() for name in ("report.html", "report.md", "report.json"))):
        assert "A test run, not a result" in written
        assert re.search(r"100 x 250 \(fold 2: 5 x 250\): (nnUNetTrainer)?UTANet", written)


def test_another_number_of_replicates_is_named() -> None:
    facts = {"A": trainings("9 x 5") | trainings("9 x 5", replicate=2), "B": trainings("9 x 5")}
    assert schedule_remarks(facts) == ("The rows differ in replicates: 2: A; 1: B.",)
