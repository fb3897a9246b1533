"""Which augmentation mode and how many loading workers: rules over measured seconds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nnunet_skipx.nnunet.trainer_name import TrainerName

GPU_AUGMENTATION = "gpuaug"  # the option in a trainer's name
AS_FAST = 1.05  # repeated measurements differ by as muchfrom nnunet_skipx.nnunet.trainer_name import TrainerName


@dataclass(frozen=True)
class Loading:
    """One trainer with one number of loading workers, in means per iteration.

    step_seconds: `train_step` on a batch that is there already; step_cpu_seconds: what this process computes for it.
    batch_seconds: what one worker takes for a batch. iteration_seconds: loading and step side by side, of which the
    share `waits` passes until the batch is there. cores_used: None where the system does not tell.
    """

    trainer: str
    workers: int
    step_seconds: float
    step_cpu_seconds: float
    batch_seconds: float
    iteration_seconds: float
    waits: float
    cores_used: float | None

    @property
    def workers_needed(self) -> int:
        """Workers, each with a core to itself, that load a batch while the device computes one step."""
        return math.ceil(self.batch_seconds / self.step_seconds)


def expected_seconds(row: Loading, workers: int, cores: int) -> float:
    """Seconds of an iteration with this many workers (1 or more): the slowest of device, workers and all cores."""
    return max(row.step_seconds, row.batch_seconds / workers, (row.batch_seconds + row.step_cpu_seconds) / cores)


def best_workers(row: Loading, cores: int) -> int:
    """The smallest number of workers, at most one for each core, from which the fastest iteration is expected."""
    return min(range(1, cores + 1), key=lambda workers: (expected_seconds(row, workers, cores), workers))


def recommended(rows: Sequence[Loading]) -> Loading:
    """Of the measured, one as fast as the fastest: nnU-Net's own augmentation first, then the fewest workers."""
    limit = AS_FAST * min(row.iteration_seconds for row in rows)
    fast = [row for row in rows if row.iteration_seconds <= limit]
    return min(fast, key=lambda row: (augments_on_device(row.trainer), row.workers, row.iteration_seconds))


def reason(rows: Sequence[Loading], chosen: Loading, cores: int) -> str:
    """Why this one, in a sentence with the figures of both modes."""
    text = _figures(chosen)
    others = [row for row in rows if row.trainer != chosen.trainer]
    if others:
        other = recommended(others)
        text += f"; {other.trainer} with nnUNet_n_proc_DA={other.workers}: {_figures(other)}"
    if chosen.workers_needed > cores:
        text += f"; about {chosen.workers_needed} workers would keep the device busy, and here are {cores} cores"
    return text


def augments_on_device(trainer: str) -> bool:
    """Whether a trainer's name carries `_gpuaug`."""
    return GPU_AUGMENTATION in TrainerName.of(trainer).options


def _figures(row: Loading) -> str:
    return f"{1 / row.iteration_seconds:.3g} iterations per second, the device waits {row.waits:.0%} of the time"
