"""Made-up data sets that are planned and preprocessed, small enough to train on in a test."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from tests.plan_shapes import SHAPES, PlanShape, dataset_json, plans

Make = Callable[..., Path]
CASES = ("a", "b", "c")
VALIDATION = "c"


@pytest.fixture
def make_domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A function that makes `DatasetNNN_Made` with its plan and preprocessed cases, and returns its folder."""
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("nnUNet_n_proc_DA", "0")

    def make(
        number: int,
        shape: PlanShape = SHAPES["3d-3-stages"],
        classes: int = 3,
        channels: int = 1,
        **architecture: object,
    ) -> Path:
        folder = tmp_path / "nnUNet_preprocessed" / f"Dataset{number:03d}_Made"
        (folder / "nnUNetPlans_test").mkdir(parents=True)
        content = plans(shape, **architecture) | {"dataset_name": folder.name}
        del content["continue_training"]  # nnU-Net's commands add it
        (folder / "nnUNetPlans.json").write_text(json.dumps(content))
        (folder / "dataset.json").write_text(json.dumps(dataset_json(classes, channels)))
        (folder / "dataset_fingerprint.json").write_text("{}")
        splits = [{"train": [case for case in CASES if case != VALIDATION], "val": [VALIDATION]}]
        (folder / "splits_final.json").write_text(json.dumps(splits))
        for index, case in enumerate(CASES):
            write_case(folder / "nnUNetPlans_test" / case, shape, classes, channels, seed=1000 * number + index)
        return folder

    return make


def write_case(path: Path, shape: PlanShape, classes: int, channels: int, seed: int) -> None:
    """Noise with a brighter block for every label, a little larger than the patch."""
    rng = np.random.default_rng(seed)
    spatial = shape.patch if len(shape.patch) == 3 else (4, *shape.patch)
    size = [length + 2 for length in spatial]
    labels = np.zeros((1, *size), np.int16)
    for label in range(1, classes):
        labels[0, :, label * 4 : label * 4 + 4, 2:-2] = label
    images = rng.normal(size=(channels, *size)).astype(np.float32) + labels
    places = {label: np.argwhere(labels == label)[:200] for label in range(1, classes)}
    nnUNetDatasetBlosc2.save_case(images, labels, {"class_locations": places}, str(path))
