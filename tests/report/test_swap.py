"""A report that is interrupted leaves the one before as it was."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from nnunet_skipx.report import exports
from nnunet_skipx.report.command import ReportOptions, report
from nnunet_skipx.report.swap import swapped_in
from tests.made_up_study import FOLDS, Study

# Writes three files, and is killed when it touches the disk for the n-th time before the first of them takes its place.
PROGRAM = """
import os, signal, sys
from pathlib import Path
from nnunet_skipx.report.swap import swapped_in
from nnunet_skipx.system.files import write_text

left, out = int(sys.argv[1]), sys.argv[2]

def count(event, arguments):
    global left
    if event in ("open", "os.rename", "os.mkdir", "os.remove") and str(arguments[0]).startswith(out):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
with swapped_in(Path(out)) as folder:
    for name in "abc":
        write_text(folder / name, "new")
    left = left if "swap" in sys.argv else 0
"""


def written(out: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in out.iterdir() if path.is_file()}


def test_a_killed_report_leaves_the_one_before_and_does_not_disturb_the_next(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for name in "abc":
        (tmp_path / name).write_text("old")
    old = written(tmp_path)
    kills = 0
    while True:
        process = subprocess.run([sys.executable, "-c", PROGRAM, str(kills + 1), str(tmp_path)], check=False)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        assert written(tmp_path) == old
        kills += 1
    assert kills >= 8
    assert written(tmp_path) == {"a": "new", "b": "new", "c": "new", "mine": "mine"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c", "mine"], "nothing else is left"


def test_a_killed_swap_leaves_no_mixture_and_the_next_report_finishes_it(tmp_path: Path) -> None:
    old, new = (dict.fromkeys("abc", text) for text in ("old", "new"))
    met = set()
    for moment in range(1, 100):
        out = tmp_path / str(moment)
        out.mkdir()
        for name in "abc":
            (out / name).write_text("old")
        process = subprocess.run([sys.executable, "-c", PROGRAM, str(moment), str(out), "swap"], check=False)
        there = written(out)
        assert there.items() <= old.items() or there.items() <= new.items(), "files of two reports"
        met.add(frozenset(there.items()))
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        with pytest.raises(KeyboardInterrupt), swapped_in(out):
            raise KeyboardInterrupt  # the next one comes to nothing
        assert written(out) in (old, new), "the one before, or the one that was whole"
        assert sorted(path.name for path in out.iterdir()) == ["a", "b", "c"]
    assert len(met) >= 7, "kills met every step of the swap"
    assert written(out) == new


def test_a_file_that_the_new_report_has_not_goes_with_the_old_one(tmp_path: Path) -> None:
    for name in ("a", "challenger.csv", "mine"):
        (tmp_path / name).write_text("old")
    with swapped_in(tmp_path, exports.NOT_IN_ALL) as folder:
        (folder / "a").write_text("new")
    assert written(tmp_path) == {"a": "new", "mine": "old"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "mine"]


@pytest.mark.slow
def test_a_report_that_fails_at_its_last_file_leaves_the_one_before(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [list(study.model_folders.values())]
    report(models, FOLDS, tmp_path, ReportOptions())
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exports, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        report(models, FOLDS, tmp_path, ReportOptions(rope=0.5))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_two_reports_at_once_into_one_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / ".writing").mkdir()
    refused = pytest.raises(ValueError, match="another report is being written")
    with FileLock(tmp_path / ".writing" / ".lock"), refused, swapped_in(tmp_path):
        pass
