"""Cells as one array of Slurm jobs, through submitit. What is done is read from the disk: accounting may be off."""

import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from submitit import SlurmExecutor
from submitit.core.utils import FailedJobError, FailedSubmissionError

from nnunet_skipx.bench.cell import WORK_FOLDER, Cell
from nnunet_skipx.bench.slots import Slot
from nnunet_skipx.bench.slurm_job import TrainCell
from nnunet_skipx.bench.state import note
from nnunet_skipx.bench.train_cell import TrainingOrder
from nnunet_skipx.nnunet.names import is_number
from nnunet_skipx.system.interpreter import python

# submitit asks for a requeue this long before Slurm ends the job
SIGNAL_SECONDS = 90
SHORTEST_MINUTES = 5
# A training of 1000 epochs may need many turns on a partition with a short limit; only its end should end it.
MOST_TURNS = 1000
NUMBER_WORDS = {"time": "minutes", "mem": "GB", "cpus": "CPUs per cell", "gpus": "GPUs per cell, 0 for the CPU"}
NUMBERS = NUMBER_WORDS.keys()


@dataclass(frozen=True)
class SlurmOptions:
    """What is asked of Slurm for each cell: minutes, memory in GB, CPUs, GPUs; `extra` are options of sbatch."""

    time: int
    partition: str | None = None
    mem: int | None = None
    cpus: int = 12  # nnU-Net's augmentation workers
    gpus: int = 1
    extra: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.time < SHORTEST_MINUTES:
            raise ValueError(
                f"time={self.time} is too short: {SIGNAL_SECONDS} seconds before its end a job is asked to make room "
                f"and is continued later, so give at least {SHORTEST_MINUTES} minutes"
            )


def slurm_options(words: Sequence[str]) -> SlurmOptions:
    """Options from words like `time=1440 partition=gpu mem=40 gpus=1 cpus=12`; others go to sbatch as they are.

    Raises:
        ValueError: a word without =, one given twice, no time, or a number that is none.
    """
    if wrong := [word for word in words if "=" not in word.strip("=")]:
        raise ValueError(f"--slurm takes words like time=1440 or partition=gpu, not {wrong[0]!r}")
    given = dict(word.split("=", 1) for word in words)
    if len(given) < len(words):
        raise ValueError(f"--slurm {' '.join(words)} names an option twice; name each once")
    if "time" not in given:
        raise ValueError("--slurm needs the time of a job in minutes, for example --slurm time=1440 partition=gpu")
    known: dict[str, Any] = {"partition": given.pop("partition", None)}
    for name in NUMBERS & given.keys():
        value = given.pop(name)
        if not is_number(value):
            raise ValueError(f"--slurm {name}={value}: give a whole number ({NUMBER_WORDS[name]})")
        known[name] = int(value)
    # As submitit spells them: an option that it sets, too, is then the user's.
    return SlurmOptions(**known, extra={name.replace("-", "_"): value for name, value in given.items()})


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
    names = {
        "JobName": f"{cell.dataset}_{cell.configuration}_{cell.part}_{cell.trainer}",
        "Comment": f"{cell} in {cell.results}",
    }
    given = {"JobName": "job_name", "Comment": "comment"}
    changes = [f"{key}={value}" for key, value in names.items() if given[key] not in options.extra]
    if changes:
        # A cluster may forbid it, or the job have ended by now: then it has no name, and no harm is done.
        subprocess.run(["scontrol", "update", f"JobId={job}", *changes], capture_output=True, check=False)


def asked_for(options: SlurmOptions) -> dict[str, str | int]:
    """Those of Slurm's options that a cluster may not have, where they were given."""
    wanted = {
        "partition": options.partition,
        "mem": None if options.mem is None else f"{options.mem}GB",
        "gpus_per_node": options.gpus or None,
    }
    return {name: value for name, value in wanted.items() if value is not None}
