"""What the disk tells of cells that are not done."""

import pytest
from filelock import FileLock

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.command import outcome
from nnunet_skipx.bench.local import Run
from nnunet_skipx.bench.state import State, note, read_state, told
from tests.bench.conftest import finish


def test_waiting_running_and_failed_are_told_apart(two_cells: list[Cell]) -> None:
    cell, other = two_cells
    assert told(cell) == "missing"
    note(cell, job="12_0")
    assert told(cell) == "waiting (Slurm job 12_0)"
    with FileLock(cell.lock):
        note(cell, process="process 7 on node3")
        assert told(cell) == "running (process 7 on node3)"
        assert "process 7 on node3" in outcome(Run(two_cells, elsewhere=[cell]))
    assert told(cell) == "waiting (Slurm job 12_0)", "it was killed, and is requeued"
    note(cell, failure="exit status 1")
    assert told(cell) == "failed (exit status 1)"
    finish(cell)
    assert told(cell) == "done"
    assert read_state(other) == State(), "cells do not share notes"


@pytest.mark.parametrize("content", ["", "{", "null", "[]", '{"job": 3}', '{"job": "a\\nb", "process": 1}'])
def test_a_broken_note_is_none(two_cells: list[Cell], content: str) -> None:
    note(two_cells[0], job="12_0")
    two_cells[0].log.with_suffix(".json").write_text(content)
    assert told(two_cells[0]) == "missing"
    note(two_cells[0], failure="exit status 1")
    assert told(two_cells[0]) == "failed (exit status 1)"


def test_looking_writes_nothing(two_cells: list[Cell]) -> None:
    before = sorted(two_cells[0].results.rglob("*"))
    told(two_cells[0])
    assert sorted(two_cells[0].results.rglob("*")) == before
