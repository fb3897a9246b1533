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
from tests.forking.fixture import ForkServer, run_program

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
    phantom = write_phantom(folder, cases=6, test_cases=2, shape=(16, 24, 16))
    assert main(["convert", "msd", str(phantom), "-d", "99", "-np", "1"]) == 0
    patch.undo()
    return folder


@pytest.fixture(scope="module")
def forked(workplace: Path, forks: ForkServer) -> dict[str, str]:
    """The workplace's variables, and where the fork server is."""
    return {**environment(workplace), **forks.variables}


@pytest.fixture(scope="module")
def command(forks: ForkServer, forked: dict[str, str]) -> Command:
    """Run a console script in the workplace, forked from a process that has imported it; it must succeed."""

    def run(name: str, *arguments: object, check: bool = True) -> subprocess.CompletedProcess:
        return run_program([forks.python, name, *arguments], forked, check)

    return run


@pytest.fixture(scope="module")
def console(workplace: Path) -> Command:
    """As `command`, but the script that is installed in this Python environment, in a process of its own."""

    def run(name: str, *arguments: object, check: bool = True) -> subprocess.CompletedProcess:
        return run_program([console_script(name), *arguments], environment(workplace), check)

    return run


def console_script(name: str) -> str:
    program = shutil.which(name, path=str(Path(sys.executable).parent))
    assert program, f"{name} is not installed in this environment"
    return program


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
