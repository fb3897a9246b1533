"""Cells on this machine: what is done stays, what fails does not stop the rest, an interruption ends all."""

import os
import re
import signal
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
from nnunet_skipx.bench.state import note, told
from nnunet_skipx.bench.train_cell import BUSY, DISK_FULL
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


def test_a_failure_is_reported_with_the_end_of_its_log_and_stops_nothing(
    two_cells: list[Cell], forked_children: None
) -> None:
    seen = []
    run = run_cells(two_cells, SLOTS, npz=False, watch=lambda run: seen.append(len(run.running)))
    assert run.failed == dict.fromkeys(two_cells, "exit status 1")
    assert [told(cell) for cell in two_cells] == ["failed (exit status 1)"] * 2
    assert max(seen) == 1, "one slot, one training at a time"
    text = outcome(run)
    assert text.startswith("0 of 2 cells are done.")
    assert text.count("Dataset099_Phantom") >= 2
    assert "No such file or directory" in text, "what the training said last"
    assert "Run the same command again" in text


def test_a_cell_that_another_launch_trains_is_no_failure(two_cells: list[Cell], forked_children: None) -> None:
    two_cells[0].lock.parent.mkdir(parents=True)
    finish(two_cells[1])
    with FileLock(two_cells[0].lock):
        run = run_cells(two_cells, SLOTS, npz=False, watch=look_away)
        note(two_cells[0], process="process 7 on node3")
        assert told(two_cells[0]) == "running (process 7 on node3)"
        run = run_cells(two_cells, SLOTS, npz=False, watch=look_away)
    assert (run.failed, run.elsewhere, run.done()) == ({}, two_cells[:1], two_cells[1:])
    assert re.search("Left to another process: .* 3d_fullres fold 0 .*process 7 on node3", outcome(run))
    assert two_cells[0].log.read_text().count("being trained by another process (process 7 on node3)") == 2, "two tries"


class Ended(subprocess.Popen):
    """A program that only ends, as a training may."""

    def __init__(self, code: str) -> None:
        super().__init__([sys.executable, "-S", "-c", f"import os, sys, time; {code}"])


def test_what_another_launch_has_finished_meanwhile_is_done(
    two_cells: list[Cell], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two launches at once: each finds a cell busy, and both end well."""
    statuses = {two_cells[0]: BUSY, two_cells[1]: 1}
    monkeypatch.setattr(local, "start", lambda cell, *_: Ended(f"sys.exit({statuses[cell]})"))

    def other_launch(run: Run) -> None:
        for cell in (*run.failed, *run.elsewhere):
            if not cell.is_done():
                finish(cell)

    run = run_cells(two_cells, SLOTS * 2, npz=False, watch=other_launch)
    assert run.done() == two_cells
    assert outcome(run) == "2 of 2 cells are done."


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("os.kill(os.getpid(), 9)", "killed by signal 9, out of memory?"),
        ("os.kill(os.getpid(), 11)", "killed by signal 11 (SIGSEGV)"),
        ("sys.exit(128 + 15)", "killed by signal 15 (SIGTERM)"),
        ("sys.exit(3)", "exit status 3"),
        (f"sys.exit({DISK_FULL})", r"the disk of .*skipx_bench.* is full: free some space"),
    ],
)
def test_a_failure_says_what_ended_it(
    two_cells: list[Cell], monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    two_cells[0].log.parent.mkdir(parents=True)
    two_cells[0].log.write_text("the last words\n")
    monkeypatch.setattr(local, "start", lambda *_: Ended(code))
    run = run_cells(two_cells[:1], SLOTS, npz=False, watch=look_away)
    why = words if ".*" in words else re.escape(words)
    assert re.search(rf"FAILED: .* fold 0 .*\({why}\); the end of .*\n  the last words", outcome(run))
    assert re.fullmatch(rf"failed \({why}\)", told(two_cells[0]))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_ends_the_trainings(
    two_cells: list[Cell], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    started = []

    def start(cell: Cell, slot: Slot, npz: bool) -> subprocess.Popen:
        started.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        return started[-1]

    def interrupt(run: Run) -> None:
        os.kill(os.getpid(), number)
        time.sleep(5)

    monkeypatch.setattr(local, "start", start)
    # What runs the tests may have it ignored, as nohup does.
    before = signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_cells(two_cells, SLOTS * 2, npz=False, watch=interrupt)
    finally:
        signal.signal(number, before)
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
