"""Made-up data sets that look planned and preprocessed."""
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plan_shapes import SHAPES, PlanShape, dataset_json, plans

Make = Callable[..., Path]


@pytest.fixture
def make_domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A function that makes `DatasetNNN_Made` with its plan and two preprocessed cases, and returns its folder."""
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))

    def make(
        number: int, shape: PlanShape = SHAPES["3d-3-stages"], classes: int = 3, channels: int = 1,
        **architecture: object,
    ) -> Path:  # fmt: skip
        folder = tmp_path / "nnUNet_preprocessed" / f"Dataset{number:03d}_Made"
        (folder / "nnUNetPlans_test").mkdir(parents=True)
        content = plans(shape, **architecture) | {"dataset_name": folder.name}
        (folder / "nnUNetPlans.json").write_text(json.dumps(content))
        (folder / "dataset.json").write_text(json.dumps(dataset_json(classes, channels)))
        for case in ("a", "b"):
            (folder / "nnUNetPlans_test" / f"{case}.pkl").write_bytes(b"123")
        return folder

    return make
