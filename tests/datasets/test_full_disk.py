"""`skipx convert` on a disk that fills up: the data set is there whole or not at all."""

import shutil
from pathlib import Path

import pytest

from nnunet_skipx.datasets.phantom import write_phantom
from tests.forking.fixture import ForkServer
from tests.forking.small_disk import filled_up, small_disk

pytestmark = pytest.mark.slow


def test_nothing_half_is_left(tmp_path: Path, forks: ForkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_phantom(tmp_path, cases=3, test_cases=1, shape=(40, 56, 40))
    folders = tmp_path / "disk"
    folders.mkdir()

    def start() -> None:
        for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
            shutil.rmtree(folders / name, ignore_errors=True)
            (folders / name).mkdir()

    def nothing_is_lost() -> None:
        assert not [path for path in folders.rglob("*") if path.is_file()]

    with small_disk(folders) as disk:
        for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
            monkeypatch.setenv(name, str(folders / name))
        start()
        words = ("convert", "msd", source, "-d", 99, "-np", 1)
        filled_up(disk, lambda: forks.run("skipx", *words, check=False), start, nothing_is_lost)
