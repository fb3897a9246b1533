"""Detection: what was there and what was found, counted from nnU-Net's own summaries."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from nnunet_skipx.report.command import ReportOptions, report
from nnunet_skipx.report.detection import MOST_NAMED, detection_table
from nnunet_skipx.results.presence import COLUMNS, presence
from tests.made_up_study import DATASET_JSON, FOLDS, TRAINERS, Study


def lines(truth: list[bool], found: list[bool], replicate: int = 1) -> list[tuple]:
    pairs = enumerate(zip(truth, found, strict=True))
    return [("A", replicate, 0, f"c{number}", "lesion", there, seen) for number, (there, seen) in pairs]


def test_sensitivity_and_specificity_name_who_was_missed_and_what_was_invented() -> None:
    table = pd.DataFrame(
        lines([True, True, True, False, False], [True, False, True, True, False]), columns=list(COLUMNS)
    )
    assert detection_table(table).to_dict("records") == [
        {
            "Row": "A",
            "Class": "lesion",
            "Sensitivity": "0.67 (2 of 3)",
            "Specificity": "0.50 (1 of 2)",
            "Missed": "c1",
            "Invented": "c3",
        }
    ]


def test_every_replicate_counts_and_many_cases_are_shortened() -> None:
    many = [line for replicate in (1, 2) for line in lines([True] * 8, [False] * 8, replicate)]
    (line,) = detection_table(pd.DataFrame(many, columns=list(COLUMNS))).to_dict("records")
    assert (line["Sensitivity"], line["Specificity"]) == ("0.00 (0 of 16)", "–")
    assert line["Missed"] == "c0, c1, c2, c3, c4 and 3 more" and MOST_NAMED == 5


def test_where_all_is_there_and_found_there_is_no_table() -> None:
    assert detection_table(pd.DataFrame(lines([True], [True]), columns=list(COLUMNS))).empty


@pytest.fixture
def invented(study: Study, tmp_path: Path) -> list[Path]:
    """The made-up study, whose case 3 lacks a class, with that class predicted there by the second model."""
    folders = []
    for trainer, folder in study.model_folders.items():
        copy = Path(shutil.copytree(folder, tmp_path / "results" / folder.parent.name / folder.name))
        for path in copy.glob("fold_*/validation/summary.json") if trainer == TRAINERS[1] else ():
            content = json.loads(path.read_text())
            for case in content["metric_per_case"]:
                if "case_03" in case["prediction_file"]:
                    case["metrics"]["2"] |= {"Dice": 0.0, "n_pred": 5, "FP": 5}
            path.write_text(json.dumps(content))
        folders.append(copy)
    return folders


def test_the_counts_are_those_of_the_summaries(study: Study) -> None:
    models = {trainer: (folder,) for trainer, folder in study.model_folders.items()}
    made = presence(models, FOLDS, DATASET_JSON)
    assert len(made) == 2 * 12 * 2
    absent = made[~made["in_reference"]]
    assert set(absent["case"]) == {"case_03"} and set(absent["label"]) == {"Posterior"}
    assert not absent["in_prediction"].any()


@pytest.mark.slow
def test_every_table_counts_what_one_row_invented_and_the_rule_can_be_chosen(
    invented: list[Path], tmp_path: Path
) -> None:
    text = report([invented], FOLDS, tmp_path, ReportOptions())
    page = (tmp_path / "report.html").read_text()
    assert "0.00 (0 of 1)" in page and "1.00 (1 of 1)" in page
    for written in (text, page, (tmp_path / "report.md").read_text(), (tmp_path / "report.tex").read_text()):
        assert "Absent, predicted by one" in written
    (scored,) = json.loads((tmp_path / "report.json").read_text())["comparisons"][0]["contrasts"]
    assert scored["empties"] == {"both": 0, "one": 1, "undefined": 0}
    report([invented], FOLDS, tmp_path, ReportOptions(empty="left-out"))
    (left,) = json.loads((tmp_path / "report.json").read_text())["comparisons"][0]["contrasts"]
    assert left["difference"]["interval"]["value"] > scored["difference"]["interval"]["value"] + 0.01
