"""What a Slurm job does when it nears its limit; what it does on a real Slurm: tests/end_to_end/test_slurm.py."""

import os
from pathlib import Path

import pytest

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.slots import Slot
from nnunet_skipx.bench.slurm_job import MOST_IDLE_TURNS, TrainCell
from nnunet_skipx.bench.state import note, told
from nnunet_skipx.bench.train_cell import TrainingOrder


@pytest.fixture
def job(two_cells: list[Cell]) -> TrainCell:
    two_cells[0].folder.mkdir(parents=True)
    return TrainCell(TrainingOrder(two_cells[0], "cpu", 1), Slot("cpu"))


def checkpoint(cell: Cell, name: str, written: int) -> Path:
    path = cell.folder / f"checkpoint_{name}.pth"
    path.touch()
    os.utime(path, ns=(written, written))
    return path


def test_a_job_that_comes_further_is_requeued_however_often(job: TrainCell) -> None:
    cell = job.order.cell
    for turn in range(1, 10):
        checkpoint(cell, "latest", turn)
        assert job.checkpoint().function is job
    checkpoint(cell, "final", 10)
    for left in range(10, 0, -1):
        note(cell, cases_left=left)
        job.checkpoint()


@pytest.mark.parametrize("begun", [False, True])
def test_a_job_that_comes_no_further_fails_with_the_cure(job: TrainCell, begun: bool) -> None:
    cell = job.order.cell
    if begun:
        checkpoint(cell, "latest", 1)
    for turn in range(MOST_IDLE_TURNS):
        if begun:
            checkpoint(cell, "best", turn)  # from which nothing goes on
        job.checkpoint()
    with pytest.raises(RuntimeError, match=r"fold 0 .* came no further in 3 turns: give a longer time"):
        job.checkpoint()
    assert told(cell) == "failed (no further in 3 turns: give a longer time)"
