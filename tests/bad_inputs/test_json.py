"""Every command ends with a sentence that names the file, whichever of its JSON files holds something else."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nnunet_skipx.cli.main import main
from tests.bad_inputs import test_volumes
from tests.bad_inputs.ending import assert_found, assert_refused, ending
from tests.contract import SMALL
from tests.datasets.check.data import use_folders
from tests.made_up_study import DATASET, TRAINERS, Study, study
from tests.universal.conftest import make_domain

__all__ = ["make_domain", "study"]  # fixtures
CONTENTS = ["", "{", "null", "{}", "[]", "3", '"x"', "[{}]", '{"labels": null}', "NaN", "[[[["]
MODEL_FILES = ["dataset.json", "plans.json", "fold_0/validation/summary.json", "fold_0/debug.json"]
DATA_FILES = ["nnUNetPlans.json", "dataset.json", "splits_final.json", "domains.json"]
COMMANDS = [
    "plan -d 11 -a UTANet",
    "plan -d 11 -a UTANet --explain",
    "plan -d 11 -a UTANet --vram 8",
    "profile -d 11 -c test -device cpu -tr nnUNetTrainer",
    "profile -d 11 -c test -device cpu -tr nnUNetTrainer --dataloading",
    "bench -d 11 -c test -tr nnUNetTrainer --dry-run -device cpu",
    "universal create -d 11 12 --id 500 -c test",
]
READS = {  # the plans are read by all
    "nnUNetPlans.json": COMMANDS,
    "dataset.json": COMMANDS[1:],
    "splits_final.json": [command for command in COMMANDS if command.startswith("bench")],
    "domains.json": [command for command in COMMANDS if command.startswith(("profile", "bench"))],
}


def ends_with_a_sentence(command: list[str], path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(command) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith(f"skipx {command[0]}: ") and str(path) in message
    assert message.count(": ") >= 2, "what was wrong, and what to do"


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", DATA_FILES)
def test_commands_on_planned_data(
    name: str, content: str, make_domain: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_domain(11, SMALL)
    make_domain(12, SMALL)
    (folder / name).write_text(content)
    for command in READS[name]:
        ends_with_a_sentence(command.split(), folder / name, capsys)


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", MODEL_FILES)
def test_a_report(name: str, content: str, study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "results" / DATASET / f"{TRAINERS[0]}__nnUNetPlans__3d_fullres"
    shutil.copytree(study.model_folder(TRAINERS[0]), model)
    other = shutil.copytree(study.model_folder(TRAINERS[1]), model.with_name(f"{TRAINERS[1]}__nnUNetPlans__3d_fullres"))
    (model / name).write_text(content)
    command = ["report", "-d", "4", "-f", "0", "--results", str(tmp_path / "results"), "-o", str(tmp_path / "out")]
    if name == "fold_0/debug.json":  # a remark
        assert main(command) == 0
        if content not in ("{}", '{"labels": null}'):  # which is one of which nothing is known
            assert f"{model / name}" in (tmp_path / "out" / "report.json").read_text()
    else:
        ends_with_a_sentence(command, model / name, capsys)
    assert other.is_dir()


LABELS: dict[str, Any] = {  # of a data set of nnU-Net's
    "a list of them": ["background", "a"],
    "none": {},
    "no background": {"a": 1},
    "background elsewhere": {"background": 1, "a": 0},
    "a number twice": {"background": 0, "a": 1, "b": 1},
    "numbers that are lists": {"background": [0], "a": 1},
    "an empty list": {"background": 0, "a": []},
    "a list of lists": {"background": 0, "a": [[1]]},
    "null": {"background": 0, "a": None},
    "true": {"background": 0, "a": True},
    "a fraction": {"background": 0, "a": 1.5},
    "a negative number": {"background": 0, "a": -1},
    "infinity": {"background": 0, "a": float("inf")},
    "ignore in between": {"background": 0, "ignore": 1, "a": 2},
    "ignore far behind": {"background": 0, "a": 1, "ignore": 9},
    "ignore as a list": {"background": 0, "a": 1, "ignore": [2]},
    "ignore as digits": {"background": 0, "a": 1, "ignore": "2"},
    "a name that moves the cursor": {"background": 0, "\x1b[2J": 1},
}
TASK_LABELS: dict[str, Any] = {  # of an MSD task
    **{name: LABELS[name] for name in ("a list of them", "none")},
    "a name that is a list": {"0": "background", "1": ["a", "b"], "2": "c"},
    "a name that is a number": {"0": "background", "1": 1, "2": "c"},
    "a name that is null": {"0": "background", "1": None, "2": "c"},
    "a name twice": {"0": "background", "1": "a", "2": "a"},
    "ignore in between": {"0": "background", "1": "ignore", "2": "a"},
    "a word for a number": {"0": "background", "one": "a", "2": "b"},
    "a superscript": {"0": "background", "²": "a", "1": "b"},
    "a gap": {"0": "background", "1": "a", "3": "b"},
}
OTHERS: dict[str, dict[str, Any]] = {  # further keys, of both
    "no channels": {"channel_names": {}, "modality": {}},
    "channels as text": {"channel_names": "MRI", "modality": "MRI"},
    "a channel that is null": {"channel_names": {"0": None}, "modality": {"0": None}},
    "a channel that is a word": {"channel_names": {"x": "MRI"}, "modality": {"x": "MRI"}},
    "a file ending that is null": {"file_ending": None, "training": None},
    "a file ending that leaves": {"file_ending": "/../x", "training": [["a", "b"]]},
    "a count that is true": {"numTraining": True},
    "a count that is text": {"numTraining": "2"},
    "a list that is null": {"dataset": [], "training": [{"image": None, "label": None}]},
}


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_folders(tmp_path, monkeypatch)
    return tmp_path


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("content", CONTENTS)
def test_a_description_that_is_none(content: str, folders: Path) -> None:
    for name in ("convert msd", "data check"):
        command, image, _ = test_volumes.COMMANDS[name](folders / name if "msd" in name else folders)
        path = image.parents[1] / "dataset.json"
        path.write_text(content)
        assert_refused(ending(*command), path)


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_a_data_set(name: str, folders: Path) -> None:
    command, image, _ = test_volumes.check(folders)
    path = image.parents[1] / "dataset.json"
    edit(path, labels=LABELS[name])
    assert_refused(ending(*command), path, "labels")


@pytest.mark.parametrize("name", TASK_LABELS)
def test_labels_of_a_task(name: str, folders: Path) -> None:
    command, image, _ = test_volumes.msd(folders / "made")
    path = image.parents[1] / "dataset.json"
    edit(path, labels=TASK_LABELS[name])
    assert_refused(ending(*command), path, "labels")


@pytest.mark.parametrize("name", OTHERS)
def test_other_keys(name: str, folders: Path) -> None:
    for command, image, _ in (test_volumes.check(folders), test_volumes.msd(folders / "made")):
        path = image.parents[1] / "dataset.json"
        edit(path, **OTHERS[name])
        assert_refused(ending(*command), path)


def test_a_key_that_stands_twice(folders: Path) -> None:
    command, image, _ = test_volumes.check(folders)
    path = image.parents[1] / "dataset.json"
    path.write_text(path.read_text().replace('"a": 1', '"a": 1, "a": 2'))
    assert_refused(ending(*command), path, '"a" stands twice')


@pytest.mark.parametrize("content", [*CONTENTS[:2], "null", "3", '"x"', '{"patients": 3}', '{"patients": {"a": null}}'])
def test_files_beside_a_data_set_do_not_end_its_check(content: str, folders: Path) -> None:
    command, image, _ = test_volumes.check(folders)
    splits = folders / "nnUNet_preprocessed" / "Dataset007_Made" / "splits_final.json"
    splits.parent.mkdir(parents=True)
    for path in (image.parents[1] / "provenance.json", splits):
        path.write_text(content)
        assert_found(ending(*command), path)
        path.unlink()


MATRICES = [
    "",
    "d = [",
    "d = 4",
    "x = 3",
    'd = [4]\nc = ["2d"]\ntr = [7]',
    'd = [4.5]\nc = ["2d"]\ntr = ["x"]',
    "\xff",
    'd = [4]\nc = ["2d"]\ntr = ["x"]\nreplicates = 100000',
    'd = [4]\nc = ["2d"]\ntr = ["x"]\nf = ["every"]',
    "d = []\nc = []\ntr = []",
    'd = [4, 4]\nc = ["2d"]\ntr = ["x"]',
    "d = [4]\nd = [5]",
    'd = [4]\nc = ["2d"]\ntr = ["x"]\npretrained_weights = ""',
    'd = [""]\nc = ["2d"]\ntr = ["x"]',
]


@pytest.mark.parametrize("content", MATRICES)
def test_a_matrix(content: str, folders: Path) -> None:
    path = folders / "matrix.toml"
    path.write_bytes(content.encode("latin-1"))
    assert_refused(ending("bench", "--matrix", path, "--dry-run", "-device", "cpu"))
