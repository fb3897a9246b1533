"""`skipx demo` as a user runs it, killed in the middle and run again."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.local import Run
from nnunet_skipx.bench.slots import Slot
from nnunet_skipx.demo.run import exceptions, run_demo, train
from tests.bench.conftest import two_cells
from tests.cli.test_next_steps import require_understood
from tests.forking.fixture import ForkServer
from tests.forking.killing import kill

__all__ = ["two_cells"]  # fixture


@pytest.mark.slow
def test_a_killed_demo_goes_on_where_it_was_and_ends_in_a_report(
    tmp_path: Path, forks: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "demo"
    arguments = ["demo", "-o", str(folder), "-f", "0"]
    variables = {**os.environ, **forks.variables}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    first = subprocess.Popen([forks.python, "skipx", *arguments], env=variables, start_new_session=True, **quiet)
    deadline = time.monotonic() + 400
    while not list(folder.glob("nnUNet_results/*/*/fold_0/checkpoint_latest.pth")):
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)
    kill(first, folder)
    second = subprocess.run(
        [forks.python, "skipx", *arguments], env=variables, capture_output=True, text=True, check=False
    )
    assert second.returncode == 0, second.stderr[-3000:]
    assert "Planning" not in second.stdout, "planning was done and is not repeated"
    assert "nnUNetTrainerUTANet_demo" in second.stdout
    assert [line[:2] for line in require_understood(second.stdout, monkeypatch)] == [
        ["skipx", "fetch"],
        ["skipx", "bench"],
    ]
    page = (folder / "report" / "report.html").read_text()
    for words in ("Expert usage", "GFLOPs", "atlas (no network)", "AdamW", "MSD Task99 Phantom 5-fold"):
        assert words in page
    written = times_of_summaries(folder)
    assert len(written) == 2
    third = subprocess.run(
        [sys.executable, "-m", "nnunet_skipx.cli", *arguments], capture_output=True, text=True, check=False
    )
    assert third.returncode == 0
    assert times_of_summaries(folder) == written, "done cells are not run again"


def times_of_summaries(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.glob("nnUNet_results/*/*/fold_0/validation/summary.json")}


def test_a_trainer_that_the_demo_trains_otherwise_is_named_in_its_notes() -> None:
    assert exceptions(["nnUNetTrainer_demo", "nnUNetTrainerUTANet_demo"]) == []
    (sentence,) = exceptions(["nnUNetTrainerUTANet_demo", "nnUNetTrainerUDTransNet_twin_demo"])
    assert "nnUNetTrainerUDTransNet_twin_demo" in sentence
    assert "0.003" in sentence
    assert "'dropout': 0.0" in sentence
    assert exceptions(["nnUNetTrainerU2Net_demo"]) == [
        "nnUNetTrainerU2Net_demo is trained with the learning rate 0.012, chosen on 40 cases of MSD Task04_Hippocampus."
    ]


def test_the_demo_trains_as_its_notes_say(monkeypatch: pytest.MonkeyPatch, two_cells: list[Cell]) -> None:
    seen: list[dict[str, str]] = []

    def run_nothing(cells: list[Cell], slots: list[Slot], npz: bool, watch: object) -> Run:
        seen.extend(slot.environment() for slot in slots)
        return Run(cells)

    monkeypatch.setattr("nnunet_skipx.demo.run.run_cells", run_nothing)
    for name, value in (("nnUNet_n_proc_DA", "12"), ("OMP_NUM_THREADS", "8")):
        monkeypatch.setenv(name, value)
    train(two_cells)
    assert seen and all(e["nnUNet_n_proc_DA"] == "0" and e["OMP_NUM_THREADS"] == "1" for e in seen)
    assert dict(os.environ).get("nnUNet_n_proc_DA") == "12"


def test_a_trainer_of_several_data_sets_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="trains several data sets at once, the demo has one"):
        run_demo(tmp_path / "demo", trainers=["nnUNetTrainer", "nnUNetTrainerU2NetUniversal"])
    assert not (tmp_path / "demo").exists()


def test_two_demos_in_one_folder_are_refused(tmp_path: Path, forks: ForkServer) -> None:
    from filelock import FileLock

    with FileLock(tmp_path / ".lock"):
        result = subprocess.run(
            [forks.python, "skipx", "demo", "-o", str(tmp_path)],
            env={**os.environ, **forks.variables},
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 2
    assert "another skipx demo" in result.stderr
