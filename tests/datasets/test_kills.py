"""`skipx convert` killed at its changes of the disk: the old data set, none or the new one, never half of one."""

import shutil
from pathlib import Path

import pytest

from nnunet_skipx.datasets.phantom import write_phantom
from tests.forking.fixture import ForkServer
from tests.forking.killing import hidden, moments, run_until

pytestmark = pytest.mark.slow
NAME = "Dataset099_Phantom"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_convert(tmp_path: Path, forks: ForkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    source = write_phantom(tmp_path, cases=3, test_cases=1, shape=(20, 28, 20))
    words = ("convert", "msd", source, "-d", 99, "-np", 1)
    raw = tmp_path / "nnUNet_raw"
    forks.run("skipx", *words)
    whole = tree(raw / NAME)
    for moment in moments(forks, raw, *words, "--overwrite"):
        is_new = moment % 2 == 1
        if is_new:
            shutil.rmtree(raw / NAME)
        status = run_until(forks, raw, moment, *words, "--overwrite").returncode
        assert status == -9 or (is_new and status == 0), "with nothing to replace it has fewer changes to make"
        there = (raw / NAME).exists()
        assert not there or tree(raw / NAME) == whole
        again = forks.run("skipx", *words, check=False)
        assert again.returncode == (0 if is_new and not there else 2), again.stderr
        assert tree(raw / NAME) == whole and not hidden(raw), moment
