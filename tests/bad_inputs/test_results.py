"""Summaries, notes and covariates in which a value cannot be, goes twice, or names no case; and files that are none."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nnunet_skipx.results.case_file import read_covariates
from nnunet_skipx.results.collect import collect
from nnunet_skipx.results.provenance import provenance
from nnunet_skipx.results.training_log import read_training_log

METRICS = {"Dice": 1.0, "TP": 5, "FP": 0, "FN": 0}
DESCRIPTION = {"labels": {"background": 0, "a": 1}, "channel_names": {"0": "MRI"}, "file_ending": ".nii.gz"}
CASES: dict[str, dict[str, Any]] = {  # an entry of a summary
    "a Dice of 400 digits": {"metrics": {"1": METRICS | {"Dice": 10**400}}},
    "voxels of 400 digits": {"metrics": {"1": METRICS | {"TP": 10**400}}},
    "no file": {"prediction_file": ""},
    "a root": {"prediction_file": "/"},
    "an ending alone": {"prediction_file": "x/.nii.gz"},
    "the folder above": {"prediction_file": "x/.."},
    "a name of 5000 letters": {"prediction_file": "x" * 5000},
    "a label with a blank": {"metrics": {" 1": METRICS}},
    "a label in two spellings": {"metrics": {"1": METRICS, "0x1": METRICS}},
    "a label in brackets": {"metrics": {"(1)": METRICS}},
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder with a summary, a note and a log."""
    folder = tmp_path / "Dataset004_Made" / "nnUNetTrainer__nnUNetPlans__2d"
    (folder / "fold_0" / "validation").mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps(DESCRIPTION))
    summarise(folder)
    return folder


def summarise(model: Path, **changes: object) -> Path:
    path = model / "fold_0" / "validation" / "summary.json"
    path.write_text(
        json.dumps({"metric_per_case": [{"prediction_file": "x/a.nii.gz", "metrics": {"1": METRICS}} | changes]})
    )
    return path


def test_a_good_one_is_read(model: Path) -> None:
    assert collect([model], [0])["value"].to_list() == [1]


@pytest.mark.parametrize("name", CASES)
def test_a_summary(name: str, model: Path) -> None:
    path = summarise(model, **CASES[name])
    with pytest.raises(ValueError, match=f"^{path}: metric.* expected .*validate the fold again: nnUNetv2_train"):
        collect([model], [0])


NOTES: dict[str, tuple[dict[str, Any], str]] = {  # debug.json, and what is told of the optimiser
    "no learning rate": ({"optimizer": "SGD (x)"}, "SGD"),
    "no optimiser": ({"initial_lr": 0.01}, ""),
    "neither": ({}, ""),
    "an empty one": ({"optimizer": "", "initial_lr": "0.01"}, "0.01"),
    "both": ({"optimizer": "SGD (x)", "initial_lr": 0.01}, "SGD, 0.01"),
}


@pytest.mark.parametrize("name", NOTES)
def test_notes_of_a_training(name: str, model: Path) -> None:
    content, optimiser = NOTES[name]
    (model / "fold_0" / "debug.json").write_text(json.dumps(content))
    assert provenance(model, [0]).get("optimiser", "") == optimiser


def pipe(path: Path) -> None:
    os.mkfifo(path)


NO_FILES: dict[str, Callable[[Path], object]] = {  # a pipe is read for ever
    "a pipe": pipe,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": Path.mkdir,
    "a circle of links": lambda path: path.symlink_to(path),
    "a link to nowhere": lambda path: path.symlink_to("/nowhere/there"),
}


@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_file(name: str, model: Path) -> None:
    read: dict[Path, Callable[[], object]] = {
        model / "dataset.json": lambda: collect([model], [0]),
        model / "fold_0" / "validation" / "summary.json": lambda: collect([model], [0]),
        model / "fold_0" / "training_log_2025_1_1_1_1_1.txt": lambda: read_training_log(model / "fold_0"),
        model / "ages.csv": lambda: read_covariates(model / "ages.csv", ["a"]),
    }
    for path, reader in read.items():
        before = path.read_bytes() if path.is_file() else b""
        path.unlink(missing_ok=True)
        NO_FILES[name](path)
        with pytest.raises((ValueError, OSError), match=str(path.parent)):
            reader()
        path.rmdir() if path.is_dir() else path.unlink()
        path.write_bytes(before)


TABLES = {
    "too many columns": "case," + ",".join(f"c{number}" for number in range(3000)) + "\na" + ",1" * 3000,
    "another encoding": "case,age\na,1",
    "semicolons": "case;age\na;1",
    "1e400": "case,age\na,1e400",
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_covariates(name: str, tmp_path: Path) -> None:
    path = tmp_path / "ages.csv"
    path.write_text(TABLES[name], encoding="utf-16" if name == "another encoding" else "utf-8")
    with pytest.raises(ValueError, match=f"^{path}.*: .+|^{path}.*; .+"):
        read_covariates(path, ["a"])


def test_digits_with_underscores_and_of_other_scripts_are_words(tmp_path: Path) -> None:
    (tmp_path / "ages.csv").write_text("case,age,size\na,1_0,٣\nb,2_0,٤")
    assert read_covariates(tmp_path / "ages.csv", ["a", "b"])["age"].to_list() == ["1_0", "2_0"]
