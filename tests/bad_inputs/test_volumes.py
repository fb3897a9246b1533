"""Bad NIfTI files, to every command that reads some: `convert` refuses, `data check` tells and goes on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.bad_inputs.ending import assert_found, assert_refused, ending
from tests.bad_inputs.nifti_files import IMAGES, LABELS, Spoil
from tests.datasets.check.data import use_folders

SIZE = (10, 9, 8)
CASES = ("one", "two")
Place = tuple[list[object], Path, Path]  # a command, and the image and the label that it reads first


def write(path: Path, voxels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.Nifti1Image(voxels, np.eye(4)).to_filename(path)
    return path


def image(path: Path, seed: int = 0) -> Path:
    return write(path, np.random.default_rng(seed).normal(size=SIZE).astype(np.float32))


def label(path: Path) -> Path:
    voxels = np.zeros(SIZE, np.uint8)
    voxels[2:5, 2:5, 2:5], voxels[6:8, 2:5, 2:5] = 1, 2
    return write(path, voxels)


def msd(folder: Path) -> Place:
    task = folder / "Task55_Made"
    (task / "imagesTs").mkdir(parents=True)
    names = [f"{case}.nii.gz" for case in CASES]
    images, labels = ([make(task / part / name) for name in names] for part, make in PARTS)
    content = {
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "a", "2": "b"},
        "numTraining": len(names),
        "training": [{"image": f"imagesTr/{name}", "label": f"labelsTr/{name}"} for name in names],
        "test": [],
    }
    (task / "dataset.json").write_text(json.dumps(content))
    return ["convert", "msd", task, "-d", "7", "-np", "1"], images[0], labels[0]


def btcv(folder: Path) -> Place:
    training = folder / "RawData" / "Training"
    pair = image(training / "img" / "img0001.nii.gz"), label(training / "label" / "label0001.nii.gz")
    return ["convert", "btcv", folder, "-d", "7", "-np", "1", "--allow-missing"], *pair


def check(folder: Path) -> Place:
    raw = folder / "nnUNet_raw" / "Dataset007_Made"
    images = [image(raw / "imagesTr" / f"{case}_0000.nii.gz", seed) for seed, case in enumerate(CASES)]
    labels = [label(raw / "labelsTr" / f"{case}.nii.gz") for case in CASES]
    content = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "a": 1, "b": 2},
        "numTraining": len(CASES),
        "file_ending": ".nii.gz",
    }
    (raw / "dataset.json").write_text(json.dumps(content))
    return ["data", "check", "-d", "7", "-np", "1", "-o", folder / "page.html"], images[0], labels[0]


PARTS: list[tuple[str, Callable[[Path], Path]]] = [("imagesTr", image), ("labelsTr", label)]
COMMANDS = {"convert msd": msd, "convert btcv": btcv, "data check": check}


@pytest.fixture(scope="module", params=COMMANDS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Good data for a command, in a folder in which nothing is written."""
    return COMMANDS[request.param](tmp_path_factory.mktemp("made"))


@pytest.fixture
def place(made: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy to be spoilt."""
    use_folders(tmp_path, monkeypatch)
    command, *files = made
    root = next(parent for parent in files[0].parents if parent.name.startswith("made"))
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    moved = [word if not isinstance(word, Path) else tmp_path / word.relative_to(root) for word in command]
    return moved, tmp_path / files[0].relative_to(root), tmp_path / files[1].relative_to(root)


def ends_well(command: list[object], path: Path, spoil: Spoil) -> None:
    spoil(path)
    end = ending(*command)
    if command[0] == "convert":
        assert_refused(end, path.name)
        raw = path.parents[len(path.parents) - 1]
        assert not list(raw.glob("nnUNet_raw/Dataset*"))
    else:
        assert_found(end, path.name)


def test_good_ones_are_taken(place: Place) -> None:
    command, *_ = place
    assert ending(*command).status == 0


@pytest.mark.parametrize("name", IMAGES)
def test_images(place: Place, name: str) -> None:
    command, path, _ = place
    ends_well(command, path, IMAGES[name])


@pytest.mark.parametrize("name", LABELS)
def test_label_maps(place: Place, name: str) -> None:
    command, _, path = place
    ends_well(command, path, LABELS[name])
