"""The command line: what a user types, sees and can get wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nnunet_skipx.cli.main import main
from nnunet_skipx.discovery import EXT_VARIABLE, append_to_environment, ext_path
from nnunet_skipx.system.files import write_json
from tests.contract import SMALL
from tests.forking.fixture import ForkServer
from tests.plan_shapes import dataset_json, plans


def skipx(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "nnunet_skipx.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


def test_ext_path_prints_the_folder_and_nothing_else() -> None:
    result = skipx("ext-path")
    assert result.stdout == f"{ext_path()}\n"
    assert (Path(ext_path()) / "nnunet_skipx_trainer_finder.py").is_file()


def test_the_folder_holds_one_flat_module() -> None:
    modules = [path.name for path in Path(ext_path()).glob("*.py") if path.name != "__init__.py"]
    assert modules == ["nnunet_skipx_trainer_finder.py"]


def test_the_users_folders_stay_first_and_ours_is_added_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EXT_VARIABLE, "/mine")
    append_to_environment()
    append_to_environment()
    assert os.environ[EXT_VARIABLE].split(os.pathsep) == ["/mine", ext_path()]


def folders(path: Path) -> dict[str, str]:
    names = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
    return {**dict.fromkeys(names, str(path)), "CUDA_VISIBLE_DEVICES": ""}


def planned(path: Path) -> None:
    """A planned data set 998, without images, with the configuration `test`."""
    folder = path / "Dataset998_Test"
    folder.mkdir()
    write_json(folder / "nnUNetPlans.json", plans(SMALL))
    write_json(folder / "dataset.json", dataset_json())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("demo", "-o", "{tmp}", "--data", "{tmp}/Task04_Missing"), "Task04_Missing"),
        (("demo", "-o", "{tmp}", "-tr", "nnUNetTrainerUTNet"), "nnUNetTrainerUTANet"),
        (("demo", "-o", "{tmp}", "-tr", "nnUNetTrainerUTANet_twn"), "_twin"),
        (("demo", "-o", "{tmp}", "-f", "5"), "0 to 4"),
        (("plan", "-d", "997", "-a", "UTANet"), "997"),
        (("profile", "-d", "997", "-c", "2d"), "997"),
        (("profile", "-d", "998", "-c", "2d"), "they have: test"),
        (("profile", "-d", "998", "-c", "test", "-tr", "nnUNetTrainerUTNet"), "skipx list"),
    ],
)
def test_a_users_mistake_is_one_message(
    arguments: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    planned(tmp_path)
    for name, value in folders(tmp_path).items():
        monkeypatch.setenv(name, value)
    assert main([argument.format(tmp=tmp_path) for argument in arguments]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.slow
def test_a_gpu_that_is_not_there_is_one_message_without_a_traceback(tmp_path: Path, forks: ForkServer) -> None:
    planned(tmp_path)
    words = ["profile", "-d", "998", "-c", "test", "-device", "cuda"]
    result = forks.run("skipx", *words, check=False, **folders(tmp_path))
    assert result.returncode == 2
    assert "-device cpu" in result.stderr
    assert "Traceback" not in result.stderr


def test_list_prints_a_table_and_as_json_nothing_but_json() -> None:
    assert "\nnnUNetTrainerUTANet " in skipx("list").stdout
    assert json.loads(skipx("list", "--json").stdout)["trainers"][0]["name"] == "nnUNetTrainer"
