"""Cells trained on this machine, as many at a time as there are slots; the disk says which are done."""

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.slots import Slot
from nnunet_skipx.bench.train_cell import BUSY, TrainingOrder

POLL_SECONDS = 0.5
SECONDS_TO_END = 20  # after SIGTERM, before SIGKILL


@dataclass
class Run:
    """The state of a run, cell by cell: waiting, running here, failed, or being trained by another launch."""

    cells: Sequence[Cell]
    waiting: list[Cell] = field(default_factory=list)
    running: dict[Cell, subprocess.Popen[bytes]] = field(default_factory=dict)
    failed: list[Cell] = field(default_factory=list)
    elsewhere: list[Cell] = field(default_factory=list)

    def done(self) -> list[Cell]:
        """Cells with a whole summary."""
        open_cells = {*self.waiting, *self.running, *self.failed, *self.elsewhere}
        return [cell for cell in self.cells if cell not in open_cells]


def run_cells(cells: Sequence[Cell], slots: Sequence[Slot], npz: bool, watch: Callable[[Run], None]) -> Run:
    """Train what is not done; a cell that fails does not stop the others.

    watch: called twice a second. An interruption ends the trainings, which a next run continues.
    """
    run = Run(cells, waiting=[cell for cell in cells if not cell.is_done()])
    free = list(slots)
    taken: dict[Cell, Slot] = {}
    try:
        while run.waiting or run.running:
            while run.waiting and free:
                cell = run.waiting.pop(0)
                taken[cell] = free.pop(0)
                run.running[cell] = start(cell, taken[cell], npz)
            for cell in [cell for cell, process in run.running.items() if process.poll() is not None]:
                status = run.running.pop(cell).returncode
                free.append(taken.pop(cell))
                if not cell.is_done():
                    (run.elsewhere if status == BUSY else run.failed).append(cell)
            watch(run)
            time.sleep(POLL_SECONDS)
    finally:
        end(list(run.running.values()))
    return run


def start(cell: Cell, slot: Slot, npz: bool) -> subprocess.Popen[bytes]:
    """Train a cell in a process of its own, which appends to the cell's log."""
    cell.log.parent.mkdir(parents=True, exist_ok=True)
    order = TrainingOrder(cell, slot.device, slot.threads, npz)
    with cell.log.open("a") as output:
        return subprocess.Popen(order.command(), stdout=output, stderr=subprocess.STDOUT, env=slot.environment())


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
