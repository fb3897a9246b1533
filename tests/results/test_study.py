"""What a report compares is complete and comparable, or refused with the reason."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from nnunet_skipx.nnunet.folds import ALL, FINAL, NOTHING_LEFT
from nnunet_skipx.results.collect import collect
from nnunet_skipx.results.study import read_study
from tests.made_up_study import DATASET, FOLDS, TRAINERS, Study


@pytest.fixture
def folders(study: Study, tmp_path: Path) -> list[Path]:
    """Model folders of both trainers that a test may damage."""
    shutil.copytree(study.results, tmp_path, dirs_exist_ok=True)
    return [tmp_path / DATASET / f"{trainer}__nnUNetPlans__3d_fullres" for trainer in TRAINERS]


def test_a_whole_study_is_the_table_without_a_remark(study: Study, folders: list[Path]) -> None:
    checked = read_study(folders, FOLDS, allow_missing=False)
    pd.testing.assert_frame_equal(checked.table, collect(list(study.model_folders.values()), FOLDS))
    assert (checked.dataset, checked.folds, checked.incomplete, checked.remarks) == (DATASET, FOLDS, "", ())
    assert list(checked.models) == list(TRAINERS)


def test_a_missing_fold_is_refused_or_left_out_for_all_and_told(folders: list[Path]) -> None:
    (folders[1] / "fold_1" / "validation" / "summary.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"not validated yet: nnUNetTrainerUTANet fold 1\. .*--allow-missing"):
        read_study(folders, FOLDS, allow_missing=False)
    checked = read_study(folders, FOLDS, allow_missing=True)
    assert checked.folds == (0, 2)
    assert set(checked.table["fold"]) == {0, 2}
    assert checked.incomplete == (
        "Incomplete: compared on fold 0, 2 only, because these are missing or unreadable: nnUNetTrainerUTANet fold 1."
    )
    with pytest.raises(FileNotFoundError, match="no fold is validated for every model"):
        read_study(folders, [1], allow_missing=True)


def test_fold_all_is_refused_and_stands_in_for_no_other(folders: list[Path]) -> None:
    with pytest.raises(ValueError, match=f"{NOTHING_LEFT}: name folds that leave cases out"):
        read_study(folders, [0, ALL], allow_missing=True)
    (folders[1] / "fold_0").rename(folders[1] / "fold_all")  # with a summary, as nnU-Net's own command writes it
    (folders[1] / "fold_all" / FINAL).touch()
    assert read_study(folders, FOLDS, allow_missing=True).folds == (1, 2)
    for allow_missing in (False, True):
        with pytest.raises(FileNotFoundError, match=f"skipx bench.* of nnUNetTrainerUTANet cannot .*{NOTHING_LEFT}"):
            read_study(folders, [0], allow_missing)


@pytest.mark.parametrize(
    ("option", "words"),
    [("gpuaug", "augmentation did not run in one mode"), ("fast", "steps did not run in one mode")],
)
def test_two_modes_in_one_table_are_told(folders: list[Path], option: str, words: str) -> None:
    other = folders[1].rename(folders[1].with_name(f"nnUNetTrainerUTANet_{option}__nnUNetPlans__3d_fullres"))
    (remark,) = read_study([folders[0], other], FOLDS, allow_missing=False).remarks
    assert words in remark
    assert f"nnUNetTrainerUTANet_{option}: " in remark
    both = folders[0].rename(folders[0].with_name(f"nnUNetTrainer_{option}__nnUNetPlans__3d_fullres"))
    assert not read_study([both, other], FOLDS, allow_missing=False).remarks


@pytest.mark.parametrize("shorter", [0, 1])
def test_other_cases_are_refused_and_one_is_named(folders: list[Path], shorter: int) -> None:
    path = folders[shorter] / "fold_0" / "validation" / "summary.json"
    summary = json.loads(path.read_text())
    gone = Path(summary["metric_per_case"].pop()["prediction_file"]).name.removesuffix(".nii.gz")
    path.write_text(json.dumps(summary))
    with pytest.raises(ValueError, match=rf"1 differ, for example case {gone} of fold 0\. .*splits_final"):
        read_study(folders, FOLDS, allow_missing=True)


def test_other_labels_are_refused(folders: list[Path]) -> None:
    path = folders[1] / "dataset.json"
    content = json.loads(path.read_text())
    content["labels"] = {"background": 0, "Posterior": 1, "Anterior": 2}
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"nnUNetTrainerUTANet on \{'background': 0, 'Posterior': 1"):
        read_study(folders, FOLDS, allow_missing=False)


def test_plans_that_differ_are_told_down_to_the_entry(folders: list[Path]) -> None:
    configurations = {"3d_fullres": {"data_identifier": "a", "batch_size": 2, "patch_size": [8, 8], "spacing": [1, 1]}}
    plans = {"plans_name": "a", "dataset_name": DATASET, "configurations": configurations}
    (folders[0] / "plans.json").write_text(json.dumps(plans))
    plans["plans_name"] = "b"
    (folders[1] / "plans.json").write_text(json.dumps(plans))
    assert read_study(folders, FOLDS, allow_missing=False).remarks == ()
    plans["configurations"]["3d_fullres"]["batch_size"] = 4  # type: ignore[index]
    (folders[1] / "plans.json").write_text(json.dumps(plans))
    (remark,) = read_study(folders, FOLDS, allow_missing=False).remarks
    assert remark == (
        "The plans of nnUNetTrainerUTANet differ from those of nnUNetTrainer in configurations.3d_fullres.batch_size."
    )


def test_rows_of_several_plans_carry_them_in_their_names(folders: list[Path]) -> None:
    other = shutil.copytree(folders[0], folders[0].with_name("nnUNetTrainer__otherPlans__3d_fullres"))
    checked = read_study([folders[0], Path(other)], FOLDS, allow_missing=False)
    names = ["nnUNetTrainer (nnUNetPlans, 3d_fullres)", "nnUNetTrainer (otherPlans, 3d_fullres)"]
    assert list(checked.models) == checked.table["row"].unique().tolist() == names


def replicate(folder: Path, number: int) -> Path:
    """A copy of a model as that replicate's."""
    return Path(shutil.copytree(folder, folder.parents[1] / f"replicate_{number}" / DATASET / folder.name))


def test_replicates_are_found_beside_their_model_in_the_order_of_their_numbers(folders: list[Path]) -> None:
    others = [replicate(folders[0], number) for number in (10, 2)]
    checked = read_study(folders, FOLDS, allow_missing=False)
    assert checked.models == {TRAINERS[0]: (folders[0], *others[::-1]), TRAINERS[1]: (folders[1],)}
    numbers = checked.table.groupby("row", sort=False)["replicate"].unique()
    assert [list(found) for found in numbers] == [[1, 2, 10], [1]]


def test_an_incomplete_replicate_is_refused_or_left_out_and_keeps_its_folds_for_the_rest(folders: list[Path]) -> None:
    other = replicate(folders[0], 2)
    shutil.rmtree(other / "fold_1")
    with pytest.raises(FileNotFoundError, match="not validated yet: nnUNetTrainer replicate 2 fold 1"):
        read_study(folders, FOLDS, allow_missing=False)
    checked = read_study(folders, FOLDS, allow_missing=True)
    assert (checked.folds, set(checked.table["replicate"])) == (FOLDS, {1})
    assert "nnUNetTrainer replicate 2 fold 1" in checked.incomplete


def test_a_replicate_on_other_cases_is_refused(folders: list[Path]) -> None:
    path = replicate(folders[0], 2) / "fold_0" / "validation" / "summary.json"
    summary = json.loads(path.read_text())
    summary["metric_per_case"].pop()
    path.write_text(json.dumps(summary))
    with pytest.raises(ValueError, match="nnUNetTrainer and nnUNetTrainer replicate 2 were not validated on"):
        read_study(folders, FOLDS, allow_missing=False)


def test_a_broken_summary_is_named_or_counts_as_missing(folders: list[Path]) -> None:
    path = folders[1] / "fold_1" / "validation" / "summary.json"
    path.write_text(path.read_text()[:200])
    with pytest.raises(ValueError, match=r"fold_1.validation.summary.json is not valid JSON .*--val"):
        read_study(folders, FOLDS, allow_missing=False)
    checked = read_study(folders, FOLDS, allow_missing=True)
    assert checked.folds == (0, 2) and "nnUNetTrainerUTANet fold 1" in checked.incomplete
