"""What `--slurm` asks for, read from its words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nnunet_skipx.nnunet.names import is_number

# submitit asks for a requeue this long before Slurm ends the job
SIGNAL_SECONDS = 90
SHORTEST_MINUTES = 5
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
