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


@pytest.mark.parametrize("options", [(), ("--overwrite",)], ids=["new", "overwrite"])
def test_convert(options: tuple[str, ...], tmp_path: Path, forks: ForkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    source = write_phantom(tmp_path, cases=3, test_cases=1, shape=(20, 28, 20))
    words = ("convert", "msd", source, "-d", 99, "-np", 1, *options)
    raw = tmp_path / "nnUNet_raw"
    found = moments(forks, raw, *words)
    whole = tree(raw / NAME)
    for moment in found:
        if not options:
            shutil.rmtree(raw / NAME)
        assert run_until(forks, raw, moment, *words).returncode == -9
        there = (raw / NAME).exists()
        assert not there or tree(raw / NAME) == whole
        again = forks.run("skipx", *words, check=False)
        assert again.returncode == (2 if there and not options else 0), again.stderr
        assert tree(raw / NAME) == whole and not hidden(raw), moment
