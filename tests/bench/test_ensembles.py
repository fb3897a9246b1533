"""Test sets of a matrix: what there is to predict, by which folds, and when it is done."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nnunet_skipx.bench.command import bench, dry_run_of_tests
from nnunet_skipx.bench.ensemble_cell import PREDICTED, EnsembleCell
from nnunet_skipx.bench.ensembles import ensemble_cells, trained_ensembles
from nnunet_skipx.bench.live import result
from nnunet_skipx.bench.matrix import Matrix
from nnunet_skipx.bench.slots import Slot
from nnunet_skipx.bench.state import told
from nnunet_skipx.bench.train_cell import TrainingOrder
from nnunet_skipx.cli.main import main
from nnunet_skipx.nnunet.checkpoints import FINAL
from nnunet_skipx.nnunet.planned import DOMAINS_FILE

DATASET = "Dataset099_Phantom"
DESCRIPTION = {"channel_names": {"0": "T1", "1": "T2"}, "labels": {"background": 0, "a": 1}, "file_ending": ".nii.gz"}
MATRIX = Matrix(("99",), ("2d",), ("nnUNetTrainer",), folds=(0, 1))
CASES = ("x", "y")
Folders = dict[str, Path]


def touch(path: Path, seconds: float = 0) -> Path:
    """A file, that long after all others were written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (1e9 + seconds, 1e9 + seconds))
    return path


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """Two test cases with labels in nnUNet_raw, and a model of two trained folds."""
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    raw, results = tmp_path / "nnUNet_raw" / DATASET, tmp_path / "nnUNet_results"
    for case in CASES:
        touch(raw / "labelsTs" / f"{case}.nii.gz")
        for channel in range(2):
            touch(raw / "imagesTs" / f"{case}_{channel:04d}.nii.gz")
    model = results / DATASET / "nnUNetTrainer__nnUNetPlans__2d"
    for fold in MATRIX.folds:
        touch(model / f"fold_{fold}" / FINAL)
    (model / "dataset.json").write_text(json.dumps(DESCRIPTION))
    plans = {
        "dataset_name": DATASET,
        "plans_name": "nnUNetPlans",
        "configurations": {"2d": {"data_identifier": "nnUNetPlans_2d"}},
    }
    (model / "plans.json").write_text(json.dumps(plans))
    return {"raw": raw, "results": results, "model": model, "preprocessed": tmp_path / "nnUNet_preprocessed"}


@pytest.fixture
def cell(folders: Folders) -> EnsembleCell:
    (found,) = trained_ensembles(MATRIX, folders["results"])
    return found


def write_summary(cell: EnsembleCell, cases: tuple[str, ...] = CASES) -> Path:
    metrics = {"1": {"Dice": 0.5}}
    lines = [{"prediction_file": f"/any/{case}.nii.gz", "metrics": metrics} for case in cases]
    path = touch(cell.summary)
    path.write_text(json.dumps({"metric_per_case": lines, "foreground_mean": {"Dice": 0.5}}))
    return touch(path, 1)


def test_it_lies_beside_the_folds_and_travels_to_another_process(cell: EnsembleCell, folders: Folders) -> None:
    assert cell.folder == folders["model"] / "test_folds_0_1"
    assert cell.log.name == "test_folds_0_1.log"
    order = TrainingOrder(cell, "cpu", threads=2)
    assert TrainingOrder.from_json(order.command()[-1], EnsembleCell) == order
    assert "nnunet_skipx.bench.predict_test" in order.command()


def test_it_is_done_when_its_whole_summary_has_every_case_of_now(cell: EnsembleCell, folders: Folders) -> None:
    assert (cell.is_done(), told(cell)) == (False, "missing")
    path = write_summary(cell)
    assert (cell.is_done(), told(cell), result(cell)) == (True, "done", "Dice 0.5000")
    path.write_text(path.read_text()[:50])
    assert not cell.is_done(), "cut off"
    write_summary(cell, CASES[:1])
    assert not cell.is_done(), "a case came later"


@pytest.mark.parametrize("newer", [f"fold_1/{FINAL}", "labelsTs/x.nii.gz"])
def test_networks_trained_again_and_new_labels_make_it_undone(cell: EnsembleCell, folders: Folders, newer: str) -> None:
    write_summary(cell)
    touch((folders["model"] if newer.startswith("fold") else folders["raw"]) / newer, 2)
    assert not cell.is_done()


def test_without_labels_it_is_done_when_all_is_predicted(cell: EnsembleCell, folders: Folders) -> None:
    for path in (folders["raw"] / "labelsTs").iterdir():
        path.unlink()
    touch(cell.folder / "x.nii.gz", 1)
    assert (cell.is_done(), told(cell), cell.goes_on_from("2d")) == (False, "1 of 2 cases", False)
    touch(cell.folder / "y.nii.gz", 1)
    assert not cell.is_done() and cell.goes_on_from("2d")
    (cell.folder / PREDICTED).write_text(json.dumps(CASES))
    assert cell.is_done() and result(cell) == "not evaluated, without labelsTs"
    assert "nothing can be evaluated" in cell.remark


def test_what_is_done_is_not_started_and_remarks_are_told(
    cell: EnsembleCell, folders: Folders, capsys: pytest.CaptureFixture
) -> None:
    for channel in range(2):
        touch(folders["raw"] / "imagesTs" / f"z_{channel:04d}.nii.gz")
    write_summary(cell)
    assert bench(MATRIX, [Slot("cpu")], test=True) == 0
    said = "1 of 1 cells are done.\n1 test images of Dataset099_Phantom have no label, and are left out."
    assert capsys.readouterr().out.strip() == said
    assert not cell.log.exists()


def test_a_cell_per_replicate_and_the_folds_of_the_splits(folders: Folders) -> None:
    splits = folders["preprocessed"] / DATASET / "splits_final.json"
    splits.parent.mkdir()
    splits.write_text(json.dumps([{"train": ["a"], "val": ["b"]}] * 3))
    other = folders["results"] / "replicate_2" / DATASET / folders["model"].name
    other.mkdir(parents=True)
    (other / "dataset.json").write_text(json.dumps(DESCRIPTION))
    found = ensemble_cells(replace(MATRIX, folds=(), replicates=2), folders["results"])
    assert [(cell.results, cell.folds) for cell in found] == [
        (folders["results"], (0, 1, 2)),
        (folders["results"] / "replicate_2", (0, 1, 2)),
    ]
    assert [cell.untrained for cell in found] == [[2], [0, 1, 2]]


def test_folds_that_are_not_trained_are_named(folders: Folders) -> None:
    matrix = replace(MATRIX, folds=(0, 1, 2, 4))
    with pytest.raises(FileNotFoundError, match=r"same command without --test(.|\n)*nnUNetPlans__2d fold 2 4$"):
        trained_ensembles(matrix, folders["results"])
    told = dry_run_of_tests(matrix)
    assert "test (0 1 2 4)" in told and "fold 2 4 not trained to the end" in told
    assert told.endswith("0 of 1 test sets are done.")


def images_without(part: str) -> Callable[[Folders], object]:
    return lambda folders: [path.unlink() for path in (folders["raw"] / "imagesTs").glob(part)]


WRONG: dict[str, tuple[Callable[[Folders], object], str]] = {
    "no images": (images_without("*"), r"imagesTs has no images \*_0000\.nii\.gz: put the test set there"),
    "a channel is missing": (images_without("y_0001*"), r"case y in .* has the channels 0000, but .* 0000, 0001: name"),
    "a label without image": (images_without("y_*"), r"case y has a label in .*labelsTs, but no image y_0000\.nii\.gz"),
    "a training case": (
        lambda folders: touch(folders["raw"] / "imagesTr" / "x_0000.nii.gz"),
        "case x is in imagesTs and in imagesTr",
    ),
    "no model": (
        lambda folders: folders["model"].rename(folders["model"].with_name("nnUNetTrainer__other__2d")),
        r"nnUNetPlans__2d is no trained model \(there are: nnUNetTrainer__other__2d\): train it",
    ),
    "no results": (
        lambda folders: folders["model"].parent.rename(folders["results"] / "Dataset098_Other"),
        "data set '99' has no results in .*; there are: Dataset098_Other",
    ),
    "a universal run": (
        lambda folders: (folders["model"] / DOMAINS_FILE).write_text(
            json.dumps(
                {
                    "dataset": DATASET,
                    "plans": "nnUNetPlans",
                    "sampling": "sqrt",
                    "feature_scale": 1,
                    "fingerprints": {"Dataset004_Hippocampus": {"fold_0": {"0": "b"}}},
                }
            )
        ),
        "is a universal run, .* skipx universal extract -d 99, then test those, -d 4,",
    ),
    "a cascade": (
        lambda folders: (folders["model"] / "plans.json").write_text(
            json.dumps(
                {
                    "dataset_name": DATASET,
                    "plans_name": "nnUNetPlans",
                    "configurations": {
                        "2d": {"data_identifier": "nnUNetPlans_2d", "previous_stage": "3d_lowres"},
                        "3d_lowres": {"data_identifier": "nnUNetPlans_3d_lowres"},
                    },
                }
            )
        ),
        "continues from the predictions of 3d_lowres, which are not there: .* -c 3d_lowres first",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_tested_ends_in_a_sentence(folders: Folders, case: str, capsys: pytest.CaptureFixture) -> None:
    damage, words = WRONG[case]
    damage(folders)
    assert main(["bench", "--test", "-d", "99", "-c", "2d", "-tr", "nnUNetTrainer", "-f", "0", "1"]) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert re.search(words, error), error


def test_raw_data_are_needed(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("nnUNet_raw")
    with pytest.raises(FileNotFoundError, match="nnUNet_raw is not set: export"):
        ensemble_cells(MATRIX, folders["results"])


def test_a_margin_is_not_fixed_after_training(folders: Folders, capsys: pytest.CaptureFixture) -> None:
    words = ["bench", "--test", "-d", "99", "-c", "2d", "-tr", "nnUNetTrainer", "--margin", "0.01"]
    assert main(words) == 2
    assert "--margin is fixed before training" in capsys.readouterr().err
