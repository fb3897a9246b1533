"""`skipx bench`: every cell of a matrix, trained where it is not done yet."""

import heapq
from collections.abc import Sequence

from rich.console import Console

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.ensembles import ensemble_cells, trained_ensembles
from nnunet_skipx.bench.estimate import hours_left
from nnunet_skipx.bench.live import LiveView, told_hours
from nnunet_skipx.bench.local import Run, run_cells
from nnunet_skipx.bench.matrix import Matrix, cells
from nnunet_skipx.bench.slots import Slot
from nnunet_skipx.bench.slurm import submit
from nnunet_skipx.bench.slurm_options import SlurmOptions
from nnunet_skipx.bench.state import read_state, told
from nnunet_skipx.bench.warm import require_same_weights
from nnunet_skipx.nnunet.folders import results_folder
from nnunet_skipx.system.files import last_lines
from nnunet_skipx.system.text_table import text_table


def bench(matrix: Matrix, slots: Sequence[Slot], test: bool = False) -> int:
    """Train what is missing on this machine; returns 0 when every cell is done, 1 otherwise. test: the test sets."""
    everything = trained_ensembles(matrix, results_folder()) if test else checked(matrix)
    with LiveView(Console()) as view:
        run = run_cells(everything, slots, matrix.npz, view)
    print(outcome(run))
    return 0 if len(run.done()) == len(everything) else 1


def bench_on_slurm(matrix: Matrix, options: SlurmOptions, test: bool = False) -> int:
    """Submit what is missing to Slurm; returns 0 once it is submitted. test: the test sets."""
    everything = trained_ensembles(matrix, results_folder()) if test else checked(matrix)
    missing = [cell for cell in everything if not cell.is_done()]
    if missing:
        jobs = submit(missing, options, matrix.npz)
        print(text_table([{"job": job, "cell": str(cell), "log": str(cell.log)} for cell, job in jobs.items()]))
        array = jobs[missing[0]].split("_")[0]
        print(f"Submitted {len(missing)} cells as Slurm job {array}: squeue -j {array} or --dry-run shows their state.")
    print(f"{len(everything) - len(missing)} of {len(everything)} cells are done.")
    return 0


def checked(matrix: Matrix) -> list[Cell]:
    """The cells of a matrix; raises what `cells` and `require_same_weights` do."""
    everything = cells(matrix, results_folder())
    require_same_weights(everything)
    return everything


def outcome(run: Run) -> str:
    """How a run ended: cells done, and for each that failed the end of its log."""
    lines = [f"{len(run.done())} of {len(run.cells)} cells are done."]
    for cell, why in run.failed.items():
        lines += [f"\nFAILED: {cell} ({why}); the end of {cell.log}:", last_lines(cell.log)]
    for cell in run.elsewhere:
        lines.append(f"Left to another process: {cell} ({read_state(cell).process or 'which has noted no name'})")
    lines += dict.fromkeys(cell.remark for cell in run.done() if cell.remark)
    if run.failed or run.elsewhere:
        lines.append("\nRun the same command again: it does what is missing, and goes on where it was.")
    return "\n".join(lines)


def dry_run_of_tests(matrix: Matrix) -> str:
    """The test sets, what is done and what is missing; how long it takes is not known."""
    everything = ensemble_cells(matrix, results_folder())
    done = sum(cell.is_done() for cell in everything)
    remarks = dict.fromkeys(cell.remark for cell in everything if cell.remark)
    rows = [{key: text for key, text in cell_row(cell, None).items() if key != "hours"} for cell in everything]
    return "\n".join([text_table(rows), "", f"{done} of {len(everything)} test sets are done.", *remarks])


def dry_run(matrix: Matrix, slots: Sequence[Slot]) -> str:
    """The cells, what is done, what is missing, and the hours that it will take on these slots."""
    everything = checked(matrix)
    missing = [cell for cell in everything if not cell.is_done()]
    hours = hours_left(missing, slots[0].device)
    rows = [cell_row(cell, hours.get(cell)) for cell in everything]
    total, needed = sum(hours.values()), side_by_side([hours[cell] for cell in missing], len(slots))
    return (
        f"{text_table(rows)}\n\n{len(everything) - len(missing)} of {len(everything)} cells are done; the others take "
        f"about {told_hours(total)} one after the other, {told_hours(needed)} on {places(slots)} (final "
        "validations not included)."
    )


def side_by_side(hours: Sequence[float], slots: int) -> float:
    """When the last of the cells ends, each of which goes to the slot that is free first.

    >>> side_by_side([2.0], 4), side_by_side([1.0, 1.0, 1.0], 2)
    (2.0, 2.0)
    """
    busy = [0.0] * slots
    for needed in hours:
        heapq.heapreplace(busy, busy[0] + needed)
    return max(busy)


def places(slots: Sequence[Slot]) -> str:
    """Where the cells are trained: 2 GPUs, 4 parts of the CPU."""
    count, what = len(slots), "GPU" if slots[0].device == "cuda" else "part"
    return f"{count} {what}{'s' if count > 1 else ''}{'' if what == 'GPU' else ' of the CPU'}"


def cell_row(cell: Cell, hours: float | None) -> dict[str, str]:
    """One line of the dry run."""
    return {
        "data set": cell.dataset,
        "configuration": cell.configuration,
        "fold": cell.shown,
        "trainer": cell.trainer,
        "plans": cell.plans,
        "results": str(cell.results),
        "state": told(cell),
        "time left": "" if hours is None else told_hours(hours),
    }
