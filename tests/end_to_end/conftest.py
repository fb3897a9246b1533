"""A tiny phantom in nnU-Net's folders, and nnU-Net's own commands as a user types them."""
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nnunet_skipx.cli.main import main
from nnunet_skipx.datasets.phantom import write_phantom
from nnunet_skipx.demo.prepare import PLANS, small_plans
from nnunet_skipx.discovery import EXT_VARIABLE, ext_path
from nnunet_skipx.system.files import write_json

Command = Callable[..., subprocess.CompletedProcess]
FOLDERS = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
DATASET = "Dataset099_Phantom"


def environment(folder: Path) -> dict[str, str]:
    """One worker, no GPU, and our folder where `skipx ext-path` says."""
    # nnU-Net takes every core with -device cpu; threads that wait must not keep other tests off the cores.
    quiet = {"OMP_WAIT_POLICY": "PASSIVE", "CUDA_VISIBLE_DEVICES": ""}
    workers = {"nnUNet_def_n_proc": "1", "nnUNet_n_proc_DA": "1"}
    folders = {name: str(folder / name) for name in FOLDERS}
    return {**os.environ, **quiet, **workers, **folders, EXT_VARIABLE: ext_path()}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nnU-Net's three folders with a converted phantom of six cases."""
    folder = tmp_path_factory.mktemp("nnunet")
    patch = pytest.MonkeyPatch()
    for name in FOLDERS:
        (folder / name).mkdir()
        patch.setenv(name, str(folder / name))
    phantom = write_phantom(folder, cases=6, test_cases=2, shape=(20, 28, 20))
    assert main(["convert", "msd", str(phantom), "-d", "99", "-np", "1"]) == 0
    patch.undo()
    return folder


@pytest.fixture(scope="module")
def command(workplace: Path) -> Command:
    """Run a console script of this Python environment in the workplace; it must succeed."""

    def run(name: str, *arguments: object, check: bool = True) -> subprocess.CompletedProcess:
        program = shutil.which(name, path=str(Path(sys.executable).parent))
        assert program, f"{name} is not installed in this environment"
        result = subprocess.run(
            [program, *map(str, arguments)], capture_output=True, text=True, env=environment(workplace), check=False
        )
        if check:
            assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
        return result

    return run


@pytest.fixture(scope="module")
def planned(workplace: Path, command: Command) -> Path:
    """nnU-Net's planning for 2d and 3d_fullres, and plans with narrow networks beside its own."""
    command("nnUNetv2_plan_and_preprocess", "-d", 99, "-c", "2d", "3d_fullres", "-np", 1, "-npfp", 1)
    folder = workplace / "nnUNet_preprocessed" / DATASET
    plans = small_plans(folder / "nnUNetPlans.json")
    for configuration in plans["configurations"].values():
        configuration["batch_size"] = 2  # of such small slices nnU-Net would take hundreds
    write_json(folder / f"{PLANS}.json", plans)
    return folder
