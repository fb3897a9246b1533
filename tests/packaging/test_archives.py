"""The wheel holds the package and nothing else, the source archive all that the tests need."""

import re
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
import yaml

import nnunet_skipx
from tests.checkout import ROOT, project_files
from tests.packaging.conftest import Built, Environment, run

pytestmark = pytest.mark.slow


def test_the_wheel_is_the_package_with_the_trainers_in_it(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = project_files()
    package = {name for name in files if name.startswith("nnunet_skipx/")}
    trainers = {f"nnunet_skipx/{name}" for name in files if name.startswith("trainers/")}
    assert names == package | trainers
    assert {"nnunet_skipx/py.typed", "nnunet_skipx/report/templates/report.css"} <= names
    told = re.search(r"The wheel is ([0-9.]+) MB", (ROOT / "docs" / "install.md").read_text())
    assert told and float(told[1]) == pytest.approx(built.wheel.stat().st_size / 1e6, abs=0.1)


def test_the_source_archive_holds_every_file(built: Built) -> None:
    with tarfile.open(built.source) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    assert set(project_files()) <= names


def test_what_an_index_would_refuse_is_not_in_them(built: Built, tmp_path: Path) -> None:
    checked = run(sys.executable, "-m", "twine", "check", "--strict", built.wheel, built.source, folder=tmp_path)
    assert checked.stdout.count("PASSED") == 2


def test_the_version_stands_in_one_place(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        told = message_from_bytes(archive.read(metadata))
    assert told["Version"] == nnunet_skipx.__version__
    others = [ROOT / name for name in ("setup.py", "pyproject.toml", "CITATION.cff")]
    assert not [path for path in others if f'"{nnunet_skipx.__version__}"' in path.read_text()]
    assert "version" not in yaml.safe_load((ROOT / "CITATION.cff").read_text())


def test_the_wheel_beside_nnunet_is_found_by_it_and_goes_without_a_trace(built: Built, empty: Environment) -> None:
    before = empty.files()
    empty.pip("install", "--no-deps", "--no-index", built.wheel)
    assert empty.run("skipx", "--version").stdout == f"skipx {nnunet_skipx.__version__}\n"
    assert Path(empty.run("skipx", "ext-path").stdout.strip()).is_relative_to(empty.site_packages)
    empty.run("skipx", "enable")
    assert "\nnnUNetTrainerMSAUNet " in empty.run("skipx", "list").stdout
    finds = (
        "from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name as find; import nnunet_skipx;"
        "print(find('nnUNetTrainerUTANet_twin').mro()[1].__module__, nnunet_skipx.__file__)"
    )
    *_, found = empty.run("python", "-c", finds).stdout.splitlines()
    assert found == f"nnunet_skipx.trainers.nnUNetTrainerUTANet {empty.site_packages / 'nnunet_skipx/__init__.py'}"
    empty.run("skipx", "disable")
    empty.pip("uninstall", "--yes", "nnunet-skipx")
    assert empty.files() == before
