"""A made-up data set that nnU-Net has planned, without images."""

import io
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner

from benchmarks.vram_table import FOLDERS, MadeUp


def use(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FOLDERS:
        monkeypatch.setenv(name, str(root / name))


@pytest.fixture(scope="session")
def planned_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nnU-Net's folders; the images are so large that there is a 3d_lowres too."""
    root = tmp_path_factory.mktemp("planned")
    MadeUp((320, 320, 320), (1.0, 1.0, 1.0), 20, 2).write(root)
    with pytest.MonkeyPatch.context() as monkeypatch, redirect_stdout(io.StringIO()):
        use(root, monkeypatch)
        ExperimentPlanner(998).plan_experiment()
    return root


@pytest.fixture
def planned(planned_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data set's folder in nnUNet_preprocessed, a copy for each test."""
    shutil.copytree(planned_once, tmp_path, dirs_exist_ok=True)
    use(tmp_path, monkeypatch)
    return tmp_path / "nnUNet_preprocessed" / "Dataset998_MadeUp"
