"""`skipx report` on a disk that fills up leaves the report before as it was."""

import shutil
from pathlib import Path

import pytest

from tests.forking.fixture import ForkServer
from tests.forking.small_disk import filled_up, small_disk
from tests.made_up_study import FOLDS, Study

pytestmark = pytest.mark.slow


def test_the_report_before_stays(study: Study, tmp_path: Path, forks: ForkServer) -> None:
    before, out = tmp_path / "before", tmp_path / "disk" / "report"
    out.parent.mkdir()
    words = ("report", "-d", 4, "-f", *FOLDS, "--results", study.results)
    assert forks.run("skipx", *words, "-o", before, check=False).returncode == 0
    (before / "report.md").write_text("the one before")
    old = {path.name: path.read_bytes() for path in before.iterdir() if path.is_file()}
    with small_disk(out.parent) as disk:

        def start() -> None:
            shutil.rmtree(out, ignore_errors=True)
            shutil.copytree(before, out)

        def nothing_is_lost() -> None:
            assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == old

        filled_up(disk, lambda: forks.run("skipx", *words, "-o", out, check=False), start, nothing_is_lost)
