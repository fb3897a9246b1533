"""`skipx report`: all formats say the same, and what is not there is named."""
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from nnunet_skipx.benchmark.exports import challenger, finite, markdown
from nnunet_skipx.benchmark.report_command import find_models, report
from tests.benchmark.conftest import DATASET, FOLDS, TRAINERS, Study


@pytest.fixture(scope="module")
def out(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    report(list(study.model_folders.values()), FOLDS, folder)
    return folder


def test_every_format_is_written(out: Path) -> None:
    assert sorted(path.name for path in out.iterdir()) == [
        "cases.csv", "challenger.csv", "report.html", "report.json", "report.md", "report.tex",
    ]  # fmt: skip


def test_all_formats_show_the_same_numbers(out: Path) -> None:
    rows = json.loads((out / "report.json").read_text())
    assert [row["trainer"] for row in rows] == list(TRAINERS)
    cases = pd.read_csv(out / "cases.csv")
    for row in rows:
        mine = cases[cases["trainer"] == row["trainer"]]
        assert row["mean"]["value"] == pytest.approx(mine.groupby("case")["value"].mean().mean())
        shown = f"{row['mean']['value']:.3f} [{row['mean']['low']:.3f}, {row['mean']['high']:.3f}]"
        for name in ("report.html", "report.md", "report.tex"):
            assert shown in (out / name).read_text()
    assert rows[0]["difference"] is None


def test_challenger_has_a_task_per_class_and_every_case_of_every_algorithm(out: Path) -> None:
    table = pd.read_csv(out / "challenger.csv")
    assert list(table.columns) == ["task", "case", "algorithm", "value"]
    assert set(table["task"]) == {f"{DATASET} {label} Dice" for label in ("Anterior", "Posterior")}
    assert not table.duplicated(["task", "case", "algorithm"]).any()
    pd.testing.assert_frame_equal(challenger(pd.read_csv(out / "cases.csv")), table)


def test_the_stock_trainer_is_the_baseline_unless_another_is_named(study: Study, tmp_path: Path) -> None:
    swapped = [study.model_folder(trainer) for trainer in reversed(TRAINERS)]
    assert re.search(rf"{TRAINERS[0]} .*baseline", report(swapped, FOLDS, tmp_path))
    assert re.search(rf"{TRAINERS[1]} .*baseline", report(swapped, FOLDS, tmp_path, TRAINERS[1]))
    with pytest.raises(ValueError, match="none of the rows: nnUNetTrainerUTANet, nnUNetTrainer"):
        report(swapped, FOLDS, tmp_path, "nnUNet")


def test_models_are_found_by_id_or_name_in_the_order_asked_for(study: Study) -> None:
    every = find_models(study.results, "4", ["3d_fullres"], None, None)
    assert every == find_models(study.results, DATASET, ["3d_fullres"], None, ["nnUNetPlans"])
    assert every == [study.model_folder(trainer) for trainer in sorted(TRAINERS)]
    asked = find_models(study.results, "4", ["3d_fullres"], [TRAINERS[1], TRAINERS[0]], None)
    assert asked == [study.model_folder(TRAINERS[1]), study.model_folder(TRAINERS[0])]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("5", ["3d_fullres"], None, None), f"data set '5' has no results in .*there are: {DATASET}"),
        (("4", ["2d"], None, None), "(?s)no results of any model.*nnUNetTrainer__nnUNetPlans__3d_fullres"),
        (("4", ["3d_fullres"], ["nnUNetTrainer", "nnUNetTrainerX"], None), "no results of nnUNetTrainerX"),
        (("4", ["3d_fullres"], None, ["otherPlans"]), "no results of any model"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(study: Study, arguments: tuple, message: str) -> None:
    with pytest.raises(FileNotFoundError, match=message):
        find_models(study.results, *arguments)


def test_json_has_no_nan_and_markdown_no_stray_bar() -> None:
    assert finite({"a": [float("nan"), float("inf"), 1.0, None]}) == {"a": [None, None, 1.0, None]}
    assert markdown(pd.DataFrame([{"a|b": "c|d"}])).splitlines()[2] == "| c\\|d |"
