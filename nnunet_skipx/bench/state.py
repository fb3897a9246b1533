"""What is known of a cell that is not done: its Slurm job, the process that trains it, why its last training failed."""

import os
import socket
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from filelock import FileLock, Timeout

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.system.files import write_json
from nnunet_skipx.system.json_files import either, integer, null, read_json, record, text

SHAPE = record(
    {"job": either(null, text), "process": either(null, text), "failure": either(null, text)},
    {"cases_left": either(null, integer(0, 10**9))},
)


@dataclass(frozen=True)
class State:
    """A note beside the cell's log. Nothing depends on it but what is told.

    job: Slurm's, as 12_0. process: that trains it, or was the last to. failure: of the last training, None where it
    has not failed. cases_left: of the final validation when it was last begun.
    """

    job: str | None = None
    process: str | None = None
    failure: str | None = None
    cases_left: int | None = None


def _file(cell: Cell) -> Path:
    return cell.log.with_suffix(".json")


def read_state(cell: Cell) -> State:
    """The note on a cell; an empty one where there is none, or a broken one."""
    try:
        content = read_json(_file(cell), SHAPE)
    except (FileNotFoundError, ValueError):
        return State()
    return State(**{field.name: content.get(field.name) for field in fields(State)})


def note(cell: Cell, **changes: str | int | None) -> None:
    """Change some of the note on a cell; OSError where it cannot be written."""
    _file(cell).parent.mkdir(parents=True, exist_ok=True)
    write_json(_file(cell), asdict(replace(read_state(cell), **changes)))  # type: ignore[arg-type]


def this_process() -> str:
    """For people who look for it."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def is_locked(cell: Cell) -> bool:
    """Whether a process trains the cell now; False where the lock cannot be looked at."""
    if not cell.lock.is_file():
        return False
    try:
        with FileLock(cell.lock, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def told(cell: Cell) -> str:
    """How far a cell is and what is happening to it, in words, from the disk alone."""
    if cell.is_done():
        return "done"
    state, progress = read_state(cell), cell.progress()
    how_far = "" if progress.epoch == 0 else f"{progress.epoch} of {progress.epochs} {progress.unit}"
    if is_locked(cell):
        words = f"running ({state.process or 'by another program'})"
    elif state.failure:
        words = f"failed ({state.failure})"
    elif state.job:
        words = f"waiting (Slurm job {state.job})"
    else:
        return how_far or cell.lacks
    return f"{words}, {how_far}" if how_far else words
