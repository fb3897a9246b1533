"""Environment variables that hold nothing or something else."""

import errno
import os
from pathlib import Path

import pytest

from tests.bad_inputs.ending import assert_refused, ending
from tests.contract import SMALL_2D
from tests.universal.conftest import Make, make_domain

__all__ = ["make_domain"]  # fixture
COMMANDS = [
    "plan -d 11 -a UTANet",
    "profile -d 11 -c test -device cpu -tr nnUNetTrainer --runs 1",
    "profile -d 11 -c test -device cpu -tr nnUNetTrainer --dataloading --iterations 1",
    "bench -d 11 -c test -tr nnUNetTrainer --dry-run -device cpu",
    "universal create -d 11 12 --id 500 -c test",
    "universal extract -d 500",
    "report -d 11",
    "inspect model",
    "convert btcv source -d 7",
    "data check -d 11",
    "fetch msd 4",
]
FOLDERS = ["nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"]
NUMBERS = ["", " ", "four", "²", "-1", "1.5", "9" * 30, "0x2"]


@pytest.fixture(autouse=True)
def planned(make_domain: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_domain(11, SMALL_2D)
    make_domain(12, SMALL_2D)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_is_nothing(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    for command in COMMANDS:
        assert_refused(ending(*command.split()), name, f"export {name}=")


@pytest.mark.parametrize("value", ["~/data", "~", " nnUNet_raw", "nnUNet_raw ", "file", "/dev/null"])
@pytest.mark.parametrize("name", FOLDERS)
def test_what_is_no_folder_or_another_one(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    before = sorted(tmp_path.iterdir())
    monkeypatch.setenv(name, value)
    for command in COMMANDS:
        assert_refused(ending(*command.split()), name, repr(value), f"export {name}=")
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_that_may_not_be_read_is_not_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(folder: Path) -> list[str]:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))

    monkeypatch.setattr("nnunet_skipx.system.files.os.listdir", denied)  # root may read everything
    for command, name in {COMMANDS[0]: "nnUNet_preprocessed", "report -d 11": "nnUNet_results"}.items():
        assert_refused(ending(*command.split()), tmp_path / name, "Permission denied", "give yourself the right")


@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize("name", ["nnUNet_n_proc_DA", "nnUNet_def_n_proc"])
def test_a_number_that_is_none(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    for command in [*COMMANDS, "demo -o d"]:
        assert_refused(ending(*command.split()), name, repr(value), f"unset {name}")


@pytest.mark.parametrize("name", [*FOLDERS, "nnUNet_n_proc_DA", "nnUNet_def_n_proc"])
def test_what_needs_none_works_whatever_they_hold(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")
    assert [ending(command).status for command in ("ext-path", "list")] == [0, 0]
