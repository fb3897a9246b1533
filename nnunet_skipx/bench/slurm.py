"""Cells as one array of Slurm jobs, through submitit. What is done is read from the disk: accounting may be off."""

import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from submitit import SlurmExecutor
from submitit.core.utils import FailedJobError, FailedSubmissionError

from nnunet_skipx.bench.cell import WORK_FOLDER, Cell
from nnunet_skipx.bench.slots import Slot
from nnunet_skipx.bench.slurm_job import TrainCell
from nnunet_skipx.bench.slurm_options import SIGNAL_SECONDS, SlurmOptions
from nnunet_skipx.bench.state import note
from nnunet_skipx.bench.train_cell import TrainingOrder
from nnunet_skipx.system.interpreter import python

# A training of 1000 epochs may need many turns on a partition with a short limit; only its end should end it.
MOST_TURNS = 1000


def submit(cells: Sequence[Cell], options: SlurmOptions, npz: bool) -> dict[Cell, str]:
    """Submit the cells as one array and return their job ids, as 12_0.

    Raises:
        FileNotFoundError: there is no sbatch here.
        RuntimeError: Slurm refuses the job; nothing is left behind.
    """
    if SlurmExecutor.affinity() < 0:
        raise FileNotFoundError("there is no srun here: run this on a login node of the cluster, or without --slurm")
    device, threads = ("cuda", 1) if options.gpus else ("cpu", options.cpus)
    slot = Slot(device, threads=threads, workers=options.cpus)
    with submission_folder(Path(cells[0].results) / WORK_FOLDER / "slurm") as folder:
        executor = configured(folder, options)
        with executor.batch():
            jobs = [
                executor.submit(TrainCell(TrainingOrder(cell, slot.device, slot.threads, npz), slot)) for cell in cells
            ]
    submitted = {cell: str(job.job_id) for cell, job in zip(cells, jobs, strict=True)}
    for cell, job in submitted.items():
        note(cell, job=job, failure=None)
        name_job(job, cell, options)
    return submitted


@contextmanager
def submission_folder(parent: Path) -> Iterator[Path]:
    """A new folder for the files of one submission, which a refused one does not leave behind."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d_%H%M%S_"), dir=parent))
    try:
        yield folder
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # of folders with something else in them
            parent.rmdir()
            parent.parent.rmdir()
        if isinstance(error, FailedJobError | FailedSubmissionError):
            raise RuntimeError(
                f"sbatch refused the cells: {' '.join(str(error).split())}. Where `sinfo` lists no partition either, "
                "no cluster is configured here: run this on its login node, or without --slurm"
            ) from error
        raise


def configured(folder: Path, options: SlurmOptions) -> SlurmExecutor:
    """What submits jobs with these options."""
    executor = SlurmExecutor(folder, max_num_timeout=MOST_TURNS, python=shlex.join(python()))
    executor.update_parameters(
        job_name="skipx_bench",
        time=options.time,
        cpus_per_task=options.cpus,
        signal_delay_s=SIGNAL_SECONDS,
        stderr_to_stdout=True,
        additional_parameters={"requeue": True, **options.extra},
        **asked_for(options),
    )
    return executor


def name_job(job: str, cell: Cell, options: SlurmOptions) -> None:
    """Have a job show its cell in `squeue` and accounting, where the user has given no name or comment."""
    names = names_of(cell)
    given = {"JobName": "job_name", "Comment": "comment"}
    changes = [f"{key}={value}" for key, value in names.items() if given[key] not in options.extra]
    if changes:
        # A cluster may forbid it, or the job have ended by now: then it has no name, and no harm is done.
        subprocess.run(["scontrol", "update", f"JobId={job}", *changes], capture_output=True, check=False)


def names_of(cell: Cell) -> dict[str, str]:
    """How a cell is called in Slurm."""
    return {
        "JobName": f"{cell.dataset}_{cell.configuration}_{cell.part}_{cell.trainer}",
        "Comment": f"{cell} in {cell.results}",
    }


def asked_for(options: SlurmOptions) -> dict[str, str | int]:
    """Those of Slurm's options that a cluster may not have, where they were given."""
    wanted = {
        "partition": options.partition,
        "mem": None if options.mem is None else f"{options.mem}GB",
        "gpus_per_node": options.gpus or None,
    }
    return {name: value for name, value in wanted.items() if value is not None}
