"""What a Slurm job does: it trains one cell, is requeued when it is ended early, and fails when the training does."""

import signal

from submitit import JobEnvironment
from submitit.helpers import DelayedSubmission

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.local import note_failure
from nnunet_skipx.bench.slots import Slot
from nnunet_skipx.bench.state import note, read_state
from nnunet_skipx.bench.train_cell import BUSY, TrainingOrder
from nnunet_skipx.nnunet.checkpoints import resumed_from
from nnunet_skipx.system.files import last_lines

# submitit's, ahead of the time limit, and Slurm's, which tells of a preemption and kills and requeues after the grace
# period: until then the training goes on. A child inherits what is ignored.
UNHEARD = (signal.SIGUSR2, signal.SIGTERM)
MOST_IDLE_TURNS = 3
Mark = tuple[str | None, int | None, int | None]


class TrainCell:
    """The job of one cell. Ended early, it is requeued and goes on from the last checkpoint.

    idle_turns: how often it was ended early without having come any further than `mark`.
    """

    def __init__(self, order: TrainingOrder, slot: Slot) -> None:
        self.order, self.slot = order, slot
        self.mark: Mark | None = None
        self.idle_turns = 0

    def __call__(self) -> None:
        """Train in a child that does not hear the signals of an early end.

        Raises:
            RuntimeError: the training failed; with the end of its log. Slurm counts the job as failed then.
        """
        cell = self.order.cell
        note(cell, job=JobEnvironment().job_id, failure=None)
        before = {number: signal.signal(number, signal.SIG_IGN) for number in UNHEARD}
        try:
            with cell.log.open("a") as output:
                child = self.order.start(self.slot, output)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        status = child.wait()
        if status != BUSY and not cell.is_done():
            why = note_failure(cell, status)
            raise RuntimeError(f"{cell} failed ({why}); the end of {cell.log}:\n{last_lines(cell.log)}")

    def checkpoint(self) -> DelayedSubmission:
        """The same job again, near its time limit: nnU-Net's checkpoint is on the disk.

        Raises:
            RuntimeError: the last turns have come no further, so the next ones would not either.
        """
        cell, mark = self.order.cell, mark_of(self.order.cell)
        self.idle_turns = self.idle_turns + 1 if mark == self.mark else 0
        self.mark = mark
        if self.idle_turns >= MOST_IDLE_TURNS:
            why = f"no further in {MOST_IDLE_TURNS} turns: give a longer time"
            note(cell, failure=why)
            raise RuntimeError(
                f"{cell} came {why} than {cell.progress().epoch} {cell.progress().unit}; between checkpoints lie 10 "
                "epochs of our trainers, 50 of nnU-Net's, or one predicted case"
            )
        return DelayedSubmission(self)


def mark_of(cell: Cell) -> Mark:
    """How far a cell is for certain: the checkpoint to go on from, when it was written, cases left to validate."""
    left = read_state(cell).cases_left
    if (path := resumed_from(cell.folder)) is None:
        return None, None, left
    return path.name, path.stat().st_mtime_ns, left
