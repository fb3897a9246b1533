"""collect: nnU-Net's summaries become a tidy table, digit for digit."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from batchgenerators.utilities.file_and_folder_operations import save_json

from nnunet_skipx.results.collect import COLUMNS, collect, collect_fold
from nnunet_skipx.results.dice import transunet_dice
from tests.made_up_study import CASES, DATASET, FOLDS, TRAINERS, Study, label_map, write_summary, write_volume

REGIONS_JSON = {
    "labels": {"background": 0, "whole": [1, 2], "core": [2], "ignore": 3},
    "regions_class_order": [1, 2],
    "file_ending": ".nii.gz",
}


@pytest.fixture
def copied_model(study: Study, tmp_path: Path) -> Path:
    """A model folder that a test may damage."""
    return Path(shutil.copytree(study.model_folder(TRAINERS[0]), tmp_path / DATASET / "nnUNetTrainer__nnUNetPlans__2d"))


def test_every_dice_equals_the_summary_exactly(study: Study) -> None:
    table = collect(list(study.model_folders.values()), FOLDS).set_index(["trainer", "fold", "case", "label"])["value"]
    compared = 0
    for trainer, folder in study.model_folders.items():
        for fold in FOLDS:
            summary = json.loads((folder / f"fold_{fold}" / "validation" / "summary.json").read_text())
            for case in summary["metric_per_case"]:
                name = Path(case["prediction_file"]).name[: -len(".nii.gz")]
                for key, label in (("1", "Anterior"), ("2", "Posterior")):
                    np.testing.assert_equal(table[trainer, fold, name, label], case["metrics"][key]["Dice"])
                    compared += 1
    assert compared == len(table) == len(TRAINERS) * len(CASES) * 2


def test_the_table_is_tidy_and_names_its_model(study: Study) -> None:
    table = collect([study.model_folder(TRAINERS[1])], [2])
    assert tuple(table.columns) == COLUMNS
    assert set(table["case"]) == set(study.splits[2]["val"])
    columns = ["dataset", "row", "trainer", "plans", "configuration", "replicate", "fold", "metric"]
    model = [TRAINERS[1], "nnUNetPlans", "3d_fullres"]
    assert table.iloc[0][columns].tolist() == [DATASET, TRAINERS[1], *model, 1, 2, "Dice"]
    named = collect_fold(study.model_folder(TRAINERS[1]), 2, "A row", 3)
    assert named.iloc[0][columns].tolist() == [DATASET, "A row", *model, 3, 2, "Dice"]


def test_another_rule_for_absent_classes_reads_the_same_summary(study: Study) -> None:
    stock = collect([study.model_folder(TRAINERS[0])], FOLDS)["value"]
    parts = [collect_fold(study.model_folder(TRAINERS[0]), fold, dice_rule=transunet_dice) for fold in FOLDS]
    other = pd.concat(parts, ignore_index=True)["value"]
    assert other[stock.isna()].tolist() == [0.0]
    pd.testing.assert_series_equal(other[stock.notna()], stock.dropna())


def test_a_summary_without_what_a_rule_needs_is_named(copied_model: Path) -> None:
    path = copied_model / "fold_0" / "validation" / "summary.json"
    path.write_text(path.read_text().replace("n_pred", "n_other"))
    assert len(collect_fold(copied_model, 0)) == 8
    with pytest.raises(ValueError, match=rf"{path} has a label without 'n_pred': validate the fold again"):
        collect_fold(copied_model, 0, dice_rule=transunet_dice)


def test_a_summary_without_a_label_of_dataset_json_is_refused(copied_model: Path) -> None:
    more = {
        "labels": {"background": 0, "Anterior": 1, "Posterior": 2, "Tail": 3, "ignore": 4},
        "file_ending": ".nii.gz",
    }
    save_json(more, str(copied_model / "dataset.json"))
    with pytest.raises(ValueError, match=r"scores no label 3, which dataset\.json of this model has"):
        collect_fold(copied_model, 0)


def test_a_class_absent_from_reference_and_prediction_stays_nan(study: Study) -> None:
    table = collect([study.model_folder(TRAINERS[0])], FOLDS)
    absent = table[table["value"].isna()]
    assert absent[["case", "label"]].to_numpy().tolist() == [["case_03", "Posterior"]]


def test_regions_are_named_and_the_ignore_label_is_no_class(tmp_path: Path) -> None:
    model = tmp_path / DATASET / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    validation = model / "fold_0" / "validation"
    for folder, shift in ((tmp_path / "labels", 0), (validation, 1)):
        write_volume(folder / "a.nii.gz", label_map(0, shift))
    write_summary(tmp_path / "labels", validation, [(1, 2), (2,)], ignore_label=3)
    save_json(REGIONS_JSON, str(model / "dataset.json"))
    values = collect([model], [0]).set_index("label")["value"]
    assert values["whole"] == pytest.approx(0.9)  # blocks of 10 rows, one row off
    assert values["core"] == pytest.approx(0.75)  # blocks of 4 rows, one row off
    assert list(values.index) == ["whole", "core"]


def test_a_fold_without_summary_is_named_with_the_command_that_makes_it(copied_model: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"fold_7.*summary.json.*nnUNetv2_train {DATASET} 2d 7 .*--c"):
        collect_fold(copied_model, 7)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"mean": {}}',
        '{"metric_per_case": 3}',
        '"text"',
        '{"mean": {}, "metric_per_case": []}',
        '{"mean": {}, "metric_per_case": [{"metrics": {"1": {}}}]}',
    ],
)
def test_a_broken_summary_is_named_with_its_cure(copied_model: Path, content: str) -> None:
    path = copied_model / "fold_0" / "validation" / "summary.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"{path}.*: validate the fold again: nnUNetv2_train .* --val$"):
        collect_fold(copied_model, 0)


def test_a_label_that_dataset_json_does_not_know_is_refused(copied_model: Path) -> None:
    other = {"labels": {"background": 0, "Anterior": 1}, "file_ending": ".nii.gz"}
    save_json(other, str(copied_model / "dataset.json"))
    with pytest.raises(ValueError, match=r"scores label 2.*dataset\.json"):
        collect_fold(copied_model, 0)


def test_a_model_folder_without_dataset_json_is_refused(copied_model: Path) -> None:
    (copied_model / "dataset.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"dataset\.json is missing"):
        collect_fold(copied_model, 0)


def test_a_folder_that_is_no_model_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a model folder"):
        collect_fold(tmp_path / "nnUNetTrainer_2d", 0)


def test_dice_is_between_zero_and_one_and_not_constant(study: Study) -> None:
    known = collect(list(study.model_folders.values()), FOLDS)["value"].dropna()
    assert known.between(0, 1).all() and known.nunique() > 2 and not math.isnan(known.mean())
