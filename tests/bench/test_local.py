"""Cells on this machine: what is done stays, what fails does not stop the rest, an interruption ends all."""

import subprocess
import sys
import time

import pytest
from filelock import FileLock

from nnunet_skipx.bench import local
from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.command import outcome
from nnunet_skipx.bench.local import Run, run_cells
from nnunet_skipx.bench.slots import Slot
from tests.bench.conftest import finish

SLOTS = [Slot("cpu")]


def look_away(run: Run) -> None:
    pass


def test_done_cells_are_not_started(two_cells: list[Cell]) -> None:
    for cell in two_cells:
        finish(cell)
    run = run_cells(two_cells, SLOTS, npz=False, watch=look_away)
    assert run.done() == two_cells
    assert not any(cell.log.exists() for cell in two_cells)
    assert outcome(run) == "2 of 2 cells are done."


@pytest.mark.slow
def test_a_failure_is_reported_with_the_end_of_its_log_and_stops_nothing(two_cells: list[Cell]) -> None:
    seen = []
    run = run_cells(two_cells, SLOTS, npz=False, watch=lambda run: seen.append(len(run.running)))
    assert run.failed == two_cells
    assert max(seen) == 1, "one slot, one training at a time"
    text = outcome(run)
    assert text.startswith("0 of 2 cells are done.")
    assert text.count("Dataset099_Phantom") >= 2
    assert "No such file or directory" in text, "what the training said last"
    assert "Run the same command again" in text


@pytest.mark.slow
def test_a_cell_that_another_launch_trains_is_no_failure(two_cells: list[Cell]) -> None:
    two_cells[0].lock.parent.mkdir(parents=True)
    finish(two_cells[1])
    with FileLock(two_cells[0].lock):
        run = run_cells(two_cells, SLOTS, npz=False, watch=look_away)
    assert (run.failed, run.elsewhere, run.done()) == ([], two_cells[:1], two_cells[1:])
    assert "Trained by another process: Dataset099_Phantom 3d_fullres fold 0" in outcome(run)


def test_an_interruption_ends_the_trainings(two_cells: list[Cell], monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def start(cell: Cell, slot: Slot, npz: bool) -> subprocess.Popen:
        started.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        return started[-1]

    def interrupt(run: Run) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(local, "start", start)
    with pytest.raises(KeyboardInterrupt):
        run_cells(two_cells, SLOTS * 2, npz=False, watch=interrupt)
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


def test_a_process_that_does_not_end_when_asked_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline()
    monkeypatch.setattr(local, "SECONDS_TO_END", 0.2)
    before = time.monotonic()
    local.end([process])
    assert process.poll() is not None
    assert time.monotonic() - before < 10
