"""Tiny data sets in nnUNet_raw for the tests of `skipx data check`, without anything to find."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from nnunet_skipx.cli.main import main
from nnunet_skipx.datasets.destination import VARIABLES
from nnunet_skipx.datasets.protocol import Protocol, fold_digest

VOLUMES, PICTURES = "Dataset007_Volumes", "Dataset008_Pictures"
CASES = [f"p{patient}_scan{scan}" for patient in range(3) for scan in range(2)]
TEST_CASE = "p9_scan0"
AFFINE = np.diag([0.5, 0.5, 2, 1])
SHAPE = (10, 12, 6)
SPLITS = [
    {"train": [case for case in CASES if case[:2] != patient], "val": [case for case in CASES if case[:2] == patient]}
    for patient in ("p0", "p1", "p2")
]
Run = Callable[..., tuple[int, str, str]]


def use_folders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """nnU-Net's three folders, and the working directory, in `folder`."""
    for variable in VARIABLES:
        monkeypatch.setenv(variable, str(folder / variable))
    monkeypatch.chdir(folder)


def run_check(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit status, what the terminal shows, and the page."""
    page = Path("page.html")
    processes = [] if "-np" in arguments else ["-np", "1"]
    status = main(["data", "check", *processes, "-o", str(page), *arguments])
    captured = capsys.readouterr()
    return (status, captured.out, page.read_text()) if status < 2 else (status, captured.err, "")


def assert_found(out: str, sentence: str) -> None:
    """A line matches the regular expression."""
    assert any(re.search(sentence, line) for line in out.splitlines()), out


def raw(name: str = VOLUMES) -> Path:
    return Path(os.environ["nnUNet_raw"]) / name  # noqa: SIM112  nnU-Net's name


def splits_file(name: str = VOLUMES) -> Path:
    return Path(os.environ["nnUNet_preprocessed"]) / name / "splits_final.json"  # noqa: SIM112


def image_file(case: str = CASES[0], channel: int = 0, part: str = "Tr") -> Path:
    return raw() / f"images{part}" / f"{case}_{channel:04d}.nii.gz"


def label_file(case: str = CASES[0], part: str = "Tr") -> Path:
    return raw() / f"labels{part}" / f"{case}.nii.gz"


def label_the_test_case() -> Path:
    """The label file of the test case, which has none in a clean data set."""
    path = label_file(TEST_CASE, "Ts")
    path.parent.mkdir()
    save(path, label_voxels())
    return path


def write_volumes(channels: tuple[str, ...] = ("CT", "MRI")) -> None:
    """Six training cases of three patients in three folds, and a test case."""
    folder = start(VOLUMES, channels, {"background": 0, "liver": 1, "tumour": 2}, ".nii.gz")
    for number, case in enumerate([*CASES, TEST_CASE]):
        rng = np.random.default_rng(number)
        for channel in range(len(channels)):
            values = rng.integers(-1000, 1500, SHAPE).astype(np.int16)
            save(image_file(case, channel, "Ts" if case == TEST_CASE else "Tr"), values)
        if case != TEST_CASE:
            save(label_file(case), label_voxels())
    splits_file().parent.mkdir(parents=True)
    splits_file().write_text(json.dumps(SPLITS))
    (folder / "provenance.json").write_text(json.dumps({"patients": {case: case[:2] for case in [*CASES, TEST_CASE]}}))


def write_pictures() -> None:
    """Six RGB pictures, without test cases, folds or patients."""
    folder = start(PICTURES, ("rgb_to_0_1",) * 3, {"background": 0, "gland": 1}, ".png")
    for number, case in enumerate(CASES):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 30, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "imagesTr" / f"{case}_0000.png")
        Image.fromarray(np.pad(np.ones((8, 9), np.uint8), ((2, 10), (3, 18)))).save(folder / "labelsTr" / f"{case}.png")


def start(name: str, channels: tuple[str, ...], labels: dict[str, int], ending: str) -> Path:
    for part in ("imagesTr", "imagesTs", "labelsTr"):
        (raw(name) / part).mkdir(parents=True)
    content = {
        "channel_names": {str(position): channel for position, channel in enumerate(channels)},
        "labels": labels,
        "numTraining": len(CASES),
        "file_ending": ending,
    }
    (raw(name) / "dataset.json").write_text(json.dumps(content))
    return raw(name)


def label_voxels() -> np.ndarray:
    voxels = np.zeros(SHAPE, np.uint8)
    voxels[2:7, 2:7, 1:5] = 1
    voxels[3:5, 3:5, 3] = 2
    return voxels


def save(path: Path, voxels: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    nibabel.Nifti1Image(voxels, affine).to_filename(path)


def change(path: Path, make: Callable[[np.ndarray], np.ndarray], affine: np.ndarray = AFFINE) -> None:
    save(path, make(np.array(nibabel.load(path).dataobj)), affine)


def with_value(value: float, dtype: type = np.float32) -> Callable[[np.ndarray], np.ndarray]:
    def changed(voxels: np.ndarray) -> np.ndarray:
        voxels = voxels.astype(dtype)
        voxels[0, 0, 0] = value
        return voxels

    return changed


def cut(path: Path, keep: float = 0.6) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])


def describe(name: str = VOLUMES, **changes: object) -> None:
    path = raw(name) / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def protocol_of(splits: list[dict[str, list[str]]]) -> dict:
    return Protocol("Test 3-fold", "Test", tuple(fold_digest(fold["val"]) for fold in splits)).as_json()


def fold(**changes: list[str]) -> None:
    """Change the first fold of splits_final.json."""
    splits_file().write_text(json.dumps([SPLITS[0] | changes, *SPLITS[1:]]))
