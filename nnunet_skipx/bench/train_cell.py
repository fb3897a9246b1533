"""One cell in a process of its own: what nnUNetv2_train does, always continuing from a checkpoint.

`python -m nnunet_skipx.bench.train_cell ORDER`, ORDER being `TrainingOrder.to_json`. The command nnUNetv2_train takes
every core with `-device cpu`, stumbles over a checkpoint that a kill has cut off, and knows no lock.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import popen_fork
from pathlib import Path
from types import FrameType
from typing import IO

import torch
from filelock import FileLock, Timeout

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.slots import Slot
from nnunet_skipx.bench.state import note, read_state, this_process
from nnunet_skipx.bench.warm import note_weights
from nnunet_skipx.discovery import append_to_environment
from nnunet_skipx.nnunet.checkpoints import resumed_from, set_damaged_aside
from nnunet_skipx.nnunet.continued import continued_trainer, finish_training, leave_out_predicted
from nnunet_skipx.system.files import is_full, tells_of_full_disk
from nnunet_skipx.system.interpreter import python
from nnunet_skipx.system.processes import end_with_parent, end_without, start_tied

# exit statuses
BUSY = os.EX_TEMPFAIL  # another process trains this cell
DISK_FULL = os.EX_IOERR
SECONDS_FOR_A_LOOK = 1.0  # for which somebody who asks whether the cell is being trained may hold its lock


@dataclass(frozen=True)
class TrainingOrder:
    """A cell, and how to train it: device (cuda, cpu, mps), torch's threads, and whether to keep probabilities."""

    cell: Cell
    device: str
    threads: int
    npz: bool = False

    def to_json(self) -> str:
        """For another process."""
        return json.dumps({**vars(self), "cell": self.cell.to_json()})

    @classmethod
    def from_json(cls, text: str, kind: type[Cell] = Cell) -> "TrainingOrder":
        """What `to_json` wrote of a cell of this kind."""
        content = json.loads(text)
        return cls(**{**content, "cell": kind.from_json(content["cell"])})

    def command(self) -> list[str]:
        """The command line of the process."""
        return python("-m", self.cell.PROGRAM, self.to_json())

    def start(self, slot: Slot, output: IO[str]) -> subprocess.Popen[bytes]:
        """The process, in a slot; nnU-Net writes to where the cell lies, which a replicate has for itself."""
        return start_tied(self.command(), {**slot.environment(), "nnUNet_results": str(self.cell.results)}, output)


def train_cell(order: TrainingOrder) -> int:
    """Train and validate unless that is done; returns the exit status, `BUSY` if another process is at it."""
    return alone(order, _continue)


def alone(order: TrainingOrder, work: Callable[[TrainingOrder], None]) -> int:
    """Do what is to be done for a cell, unless it is done or another process is at it (`BUSY`)."""
    cell = order.cell
    cell.lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(cell.lock, timeout=SECONDS_FOR_A_LOOK):
            return 0 if cell.is_done() else _noted(order, work)
    except Timeout:
        print(f"{cell} is being trained by another process ({read_state(cell).process or 'which has noted no name'})")
        return BUSY


def _noted(order: TrainingOrder, work: Callable[[TrainingOrder], None]) -> int:
    """Do it; returns the exit status, `DISK_FULL` where it was that."""
    try:
        note(order.cell, process=this_process(), failure=None)
        work(order)
    except (OSError, RuntimeError) as error:
        if not (tells_of_full_disk(error) or is_full(order.cell.lock.parent)):
            raise
        with suppress(OSError):  # the log may be on that disk
            print(f"{error}\nThe disk is full: free some space and run the same command again, which goes on from here")
        return DISK_FULL
    return 0


def _continue(order: TrainingOrder) -> None:
    torch.set_num_threads(order.threads)
    append_to_environment()
    cell = order.cell
    for sentence in set_damaged_aside(cell.folder):
        print(sentence)
    if cell.weights and resumed_from(cell.folder) is None:
        note_weights(cell)
    trainer = continued_trainer(
        cell.dataset, cell.configuration, cell.fold, cell.trainer, cell.plans, torch.device(order.device), cell.weights
    )
    assert Path(trainer.output_folder).resolve() == cell.folder.resolve(), "it is not the cell's own training"
    finish_training(trainer)
    if cell.ends_with_prediction():
        note(cell, cases_left=leave_out_predicted(trainer, order.npz))
        trainer.perform_actual_validation(order.npz)


def let_workers_end_unheard() -> None:
    """End workers by SIGKILL: they have inherited that SIGTERM, which Slurm sends to all of a job, is ignored."""
    popen_fork.Popen.terminate = popen_fork.Popen.kill  # type: ignore[method-assign]


def exit_on_terminate(number: int, frame: FrameType | None) -> None:
    """Turn SIGTERM into an ordinary exit, which ends nnU-Net's augmentation workers too."""
    sys.exit(128 + number)


def be_a_child() -> None:
    """End with the process that started this one, and as it asks; to be called first."""
    end_with_parent()
    if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        let_workers_end_unheard()
    else:
        signal.signal(signal.SIGTERM, exit_on_terminate)


if __name__ == "__mp_main__":  # in a worker that was spawned, of the final validation
    end_without(os.getppid())
if __name__ == "__main__":
    be_a_child()
    sys.exit(train_cell(TrainingOrder.from_json(sys.argv[1])))
