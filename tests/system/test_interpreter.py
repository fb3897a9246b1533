"""Child interpreters import nothing from the current folder, whatever lies there."""

import os
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.slots import Slot
from nnunet_skipx.bench.train_cell import TrainingOrder
from nnunet_skipx.cli.main import main
from nnunet_skipx.system import interpreter
from nnunet_skipx.system.interpreter import SAFE_PATH, python
from nnunet_skipx.system.variables import environment

PACKAGE = Path(__file__).parents[2] / "nnunet_skipx"
FIRST_IMPORTS = ("torch", "filelock", "runpy", "json", "pickle", "signal", "socket", "nnunet_skipx", "nnunetv2")


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder full of modules that children would import first; the file exists once one has been run."""
    trace = tmp_path / "run"
    folder = tmp_path / "current"
    folder.mkdir()
    for name in FIRST_IMPORTS:
        (folder / f"{name}.py").write_text(f"open({str(trace)!r}, 'w')\nraise ImportError('of the current folder')\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(PACKAGE.parent))
    return trace


def test_without_care_the_current_folder_comes_first(trap: Path) -> None:
    assert subprocess.run([sys.executable, "-c", "import json"], capture_output=True, check=False).returncode == 1
    assert trap.exists()


@pytest.mark.parametrize("knows", [True, False], ids=["-P", "Python 3.10"])
@pytest.mark.parametrize(
    "words",
    [
        ("-c", "import json, nnunet_skipx, sys; print(sys.argv)", "one", "-c"),
        ("-u", "-m", "json.tool", "--help"),
        ("-m", "nnunet_skipx.cli", "ext-path"),
    ],
    ids=lambda words: words[1],
)
def test_modules_and_code_run_without_the_current_folder(
    words: tuple[str, ...], knows: bool, trap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreter, "KNOWS_SAFE_PATH", knows and interpreter.KNOWS_SAFE_PATH)
    result = subprocess.run(python(*words), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert not trap.exists()
    if words[0] == "-c":
        assert result.stdout == "['-c', 'one', '-c']\n"


@pytest.mark.slow
def test_a_training_of_bench_does_not_import_from_the_current_folder(trap: Path, tmp_path: Path) -> None:
    cell = Cell(tmp_path, "Dataset099_Nothing", "3d_fullres", 0, "nnUNetTrainer", "nnUNetPlans")
    order, slot = TrainingOrder(cell, "cpu", 1), Slot("cpu")
    result = subprocess.run(order.command(), env=slot.environment(), capture_output=True, text=True, check=False)
    assert "run_training" in result.stderr, "it came as far as nnU-Net's look for the data set"
    assert not trap.exists()


@pytest.mark.slow
def test_the_doctor_does_not_import_from_the_current_folder(trap: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    assert "import torch" in capsys.readouterr().out
    assert not trap.exists()


@pytest.mark.skipif(not interpreter.KNOWS_SAFE_PATH, reason="Python 3.10 has nothing for multiprocessing's workers")
def test_workers_of_a_command_do_not_import_from_the_current_folder(trap: Path) -> None:
    with environment({SAFE_PATH: "1"}), ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
    assert not trap.exists()


def test_commands_pass_that_on_to_their_workers_and_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SAFE_PATH, raising=False)
    seen = []
    monkeypatch.setattr(
        "nnunet_skipx.environment.doctor.run_doctor", lambda trainers: seen.append(os.environ[SAFE_PATH]) or 0
    )
    assert main(["doctor"]) == 0
    assert seen == ["1"] and SAFE_PATH not in os.environ


def test_children_are_started_in_one_way_only() -> None:
    wrong = [path for path in PACKAGE.rglob("*.py") if re.search(r"\bsys\.executable\b", path.read_text())]
    assert wrong == [PACKAGE / "system" / "interpreter.py"]
