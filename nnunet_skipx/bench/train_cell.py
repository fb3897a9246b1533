"""One cell in a process of its own: what nnUNetv2_train does, always continuing from a checkpoint.

`python -m nnunet_skipx.bench.train_cell ORDER`, ORDER being `TrainingOrder.to_json`. The command nnUNetv2_train takes
every core with `-device cpu`, stumbles over a checkpoint that a kill has cut off, and knows no lock.
"""

import json
import os
import signal
import sys
from dataclasses import dataclass
from types import FrameType

import torch
from filelock import FileLock, Timeout
from nnunetv2.run.run_training import run_training

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.discovery import append_to_environment
from nnunet_skipx.nnunet.checkpoints import set_damaged_aside
from nnunet_skipx.system.interpreter import python

BUSY = os.EX_TEMPFAIL  # exit status: another process trains this cell


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
    def from_json(cls, text: str) -> "TrainingOrder":
        """What `to_json` wrote."""
        content = json.loads(text)
        return cls(**{**content, "cell": Cell.from_json(content["cell"])})

    def command(self) -> list[str]:
        """The command line of the process."""
        return python("-m", "nnunet_skipx.bench.train_cell", self.to_json())


def train_cell(order: TrainingOrder) -> int:
    """Train and validate unless that is done; returns the exit status, `BUSY` if another process is at it."""
    cell = order.cell
    cell.lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(cell.lock, timeout=0):
            if not cell.is_done():
                _train(order)
    except Timeout:
        print(f"{cell} is being trained by another process")
        return BUSY
    return 0


def _train(order: TrainingOrder) -> None:
    torch.set_num_threads(order.threads)
    append_to_environment()
    cell = order.cell
    for sentence in set_damaged_aside(cell.folder):
        print(sentence)
    run_training(
        cell.dataset,
        cell.configuration,
        cell.fold,
        cell.trainer,
        cell.plans,
        export_validation_probabilities=order.npz,
        continue_training=True,
        device=torch.device(order.device),
    )


def exit_on_terminate(number: int, frame: FrameType | None) -> None:
    """Turn SIGTERM into an ordinary exit, which ends nnU-Net's augmentation workers too."""
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, exit_on_terminate)
    sys.exit(train_cell(TrainingOrder.from_json(sys.argv[1])))
