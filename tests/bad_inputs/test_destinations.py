"""Destinations that cannot be written to, told before the work, and disks that are full, told with their place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nnunet_skipx.datasets import convert as conversion
from tests.bad_inputs import test_volumes
from tests.bad_inputs.ending import assert_refused, ending
from tests.contract import SMALL
from tests.datasets import almost_full_disk
from tests.datasets.check.data import use_folders
from tests.inspection.test_command import Workplace, small
from tests.made_up_study import DATASET, Study, study
from tests.universal.conftest import Make, make_domain

__all__ = ["make_domain", "small", "study"]  # fixtures


def a_file(place: Path) -> Path:
    place.write_text("")
    return place


def below_a_file(place: Path) -> Path:
    place.write_text("")
    return place / "below"


def nowhere(place: Path) -> Path:
    place.symlink_to(place.parent / "gone" / "there")
    return place


PLACES: dict[str, Callable[[Path], Path]] = {
    "a file": a_file,
    "below a file": below_a_file,
    "a link to nowhere": nowhere,
    "a folder of the system's": lambda place: Path("/proc/skipx"),
    "a long name": lambda place: place.with_name("x" * 300),
}


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_folders(tmp_path, monkeypatch)
    return tmp_path


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("variable", ["nnUNet_raw", "nnUNet_preprocessed"])
@pytest.mark.parametrize("source", ["msd", "btcv"])
def test_convert(source: str, variable: str, name: str, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command, *_ = test_volumes.COMMANDS[f"convert {source}"](empty / "made")
    place = PLACES[name](empty / variable)
    monkeypatch.setenv(variable, str(place))
    monkeypatch.setattr(conversion, "write_cases", None)  # before the first case
    assert_refused(ending(*command), variable, place)


@pytest.mark.parametrize("name", [name for name in PLACES if name != "a file"])
def test_the_page_of_a_check(name: str, empty: Path) -> None:
    command, image, _ = test_volumes.check(empty)
    image.write_bytes(b"")  # not read
    place = PLACES[name](empty / "page")
    assert_refused(ending(*command[:-1], place if name == "a long name" else place / "page.html"), "-o", place)


@pytest.mark.parametrize("name", [".", "folder", "folder/"])
def test_a_page_that_is_a_folder(name: str, empty: Path) -> None:
    command, *_ = test_volumes.check(empty)
    (empty / "folder").mkdir()
    assert_refused(ending(*command[:-1], name), "-o", "a folder")


@pytest.mark.parametrize("name", PLACES)
def test_a_report(name: str, study: Study, tmp_path: Path) -> None:
    place = PLACES[name](tmp_path / "out")
    assert_refused(ending("report", "-d", "4", "-f", "0", "--results", study.results, "-o", place), "-o", place)


@pytest.mark.parametrize("name", PLACES)
def test_the_demo(name: str, empty: Path) -> None:
    place = PLACES[name](empty / "demo")
    assert_refused(ending("demo", "-o", place), "folder", place)


@pytest.mark.parametrize("name", PLACES)
def test_fetch(name: str, empty: Path) -> None:
    place = PLACES[name](empty / "data")
    assert_refused(ending("fetch", "msd", "4", "-o", place), place)


@pytest.mark.parametrize("source", ["msd", "btcv"])
def test_a_disk_that_is_full_when_cases_are_written(source: str, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_volumes, "SIZE", (30, 30, 30))
    command, *_ = test_volumes.COMMANDS[f"convert {source}"](empty / "made")
    with almost_full_disk():
        end = ending(*command)
    assert_refused(end, f"cannot write {empty / 'nnUNet_raw' / 'Dataset007_'}", "free some space")
    assert not any((empty / "nnUNet_raw").iterdir())


COMMANDS = {
    "plan -d 11 -a UTANet": "nnUNet_preprocessed/Dataset011_Made/nnUNetUTANetPlans.json",
    "universal create -d 11 12 --id 500 -c test": "nnUNet_preprocessed",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_disk_that_is_full_when_plans_are_written(command: str, make_domain: Make, tmp_path: Path) -> None:
    make_domain(11, SMALL)
    make_domain(12, SMALL)
    with almost_full_disk(bytes_left=0):
        assert_refused(ending(*command.split()), tmp_path / COMMANDS[command], "free some space")
    assert not list(tmp_path.rglob("*draft")) + list(tmp_path.rglob("Dataset500*"))


def test_a_disk_that_is_full_when_a_page_is_written(empty: Path) -> None:
    command, *_ = test_volumes.check(empty)
    with almost_full_disk(bytes_left=1000):
        assert_refused(ending(*command), empty / "page.html", "free some space")


def test_a_disk_that_is_full_when_an_inspection_is_written(small: Workplace) -> None:
    model = small.model("nnUNetTrainer")
    with almost_full_disk(bytes_left=0):
        assert_refused(ending("inspect", model, "-device", "cpu"), model / "fold_0", "free some space")


def test_a_disk_that_is_full_when_a_report_is_written(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with almost_full_disk(bytes_left=1000):
        end = ending("report", "-d", DATASET, "-f", "0", "--results", study.results, "-o", out)
    assert_refused(end, out, "free some space")
