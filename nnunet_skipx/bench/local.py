"""Cells trained on this machine, as many at a time as there are slots; the disk says which are done."""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.slots import Slot
from nnunet_skipx.bench.state import note
from nnunet_skipx.bench.train_cell import BUSY, DISK_FULL, TrainingOrder
from nnunet_skipx.system.files import is_full
from nnunet_skipx.system.processes import endings_as_interrupts

POLL_SECONDS = 0.5
SECONDS_TO_END = 20  # after SIGTERM, before SIGKILL


@dataclass
class Run:
    """The state of a run, cell by cell: waiting, running here, failed (and why), or being trained by another launch."""

    cells: Sequence[Cell]
    waiting: list[Cell] = field(default_factory=list)
    running: dict[Cell, subprocess.Popen[bytes]] = field(default_factory=dict)
    failed: dict[Cell, str] = field(default_factory=dict)
    elsewhere: list[Cell] = field(default_factory=list)

    def done(self) -> list[Cell]:
        """Cells that are trained, and validated where their fold is."""
        open_cells = {*self.waiting, *self.running, *self.failed, *self.elsewhere}
        return [cell for cell in self.cells if cell not in open_cells]

    def look_again(self) -> None:
        """Take off the lists what another launch has finished meanwhile."""
        self.failed = {cell: why for cell, why in self.failed.items() if not cell.is_done()}
        self.elsewhere = [cell for cell in self.elsewhere if not cell.is_done()]


def run_cells(cells: Sequence[Cell], slots: Sequence[Slot], npz: bool, watch: Callable[[Run], None]) -> Run:
    """Train what is not done; a cell that fails does not stop the others, one that is busy is tried again at the end.

    watch: called twice a second. An interruption (Ctrl-C, SIGTERM, a closed terminal) ends the trainings, which a next
    run continues.
    """
    run = Run(cells, waiting=[cell for cell in cells if not cell.is_done()])
    with endings_as_interrupts():
        try:
            _train_waiting(run, slots, npz, watch)
            run.look_again()
            run.waiting, run.elsewhere = run.elsewhere, []
            _train_waiting(run, slots, npz, watch)
            run.look_again()
        finally:
            end(list(run.running.values()))
    return run


def _train_waiting(run: Run, slots: Sequence[Slot], npz: bool, watch: Callable[[Run], None]) -> None:
    free = list(slots)
    taken: dict[Cell, Slot] = {}
    while run.waiting or run.running:
        while run.waiting and free:
            cell = run.waiting.pop(0)
            taken[cell] = free.pop(0)
            run.running[cell] = start(cell, taken[cell], npz)
        for cell in [cell for cell, process in run.running.items() if process.poll() is not None]:
            status = run.running.pop(cell).returncode
            free.append(taken.pop(cell))
            if status == BUSY:
                run.elsewhere.append(cell)
            elif not cell.is_done():
                run.failed[cell] = note_failure(cell, status)
        watch(run)
        time.sleep(POLL_SECONDS)


def start(cell: Cell, slot: Slot, npz: bool) -> subprocess.Popen[bytes]:
    """Train a cell in a process of its own, which appends to the cell's log and ends when this process does."""
    cell.log.parent.mkdir(parents=True, exist_ok=True)
    order = TrainingOrder(cell, slot.device, slot.threads, npz)
    with cell.log.open("a") as output:
        return order.start(slot, output)


def note_failure(cell: Cell, status: int) -> str:
    """Why a training has failed, by its exit status; also noted for those who look at the disk."""
    why = reason(status, cell.log.parent)
    with suppress(OSError):  # of a full disk, too
        note(cell, failure=why)
    return why


def reason(status: int, folder: Path) -> str:
    """An exit status in words; `folder` is on the disk that the training wrote to."""
    if status == DISK_FULL or is_full(folder):
        return f"the disk of {folder} is full: free some space"
    if status == -signal.SIGKILL:
        return "killed by signal 9, out of memory?"
    number = -status if status < 0 else status - 128
    if number in set(signal.Signals):
        return f"killed by signal {number} ({signal.Signals(number).name})"
    return f"exit status {status}"


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End processes that still run: ask, wait, then kill."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + SECONDS_TO_END
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
