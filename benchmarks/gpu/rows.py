"""What is measured, in order of importance, and the goals that it is compared with."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.augmentation_speed import WORKS
from benchmarks.gpu.sizes import HIPPOCAMPUS, LARGE_2D, LARGE_3D
from nnunet_skipx.architectures import NETWORKS

BASELINE = "nnUNetTrainer"
GOALS = {  # a compiled training step's time in 3D and in 2D, and its memory, in multiples of nnUNetTrainer's
    "UTANet": (1.25, 1.3, 1.4),
    "XUNet": (1.5, 1.5, 1.4),
    "UDTransNet": (1.3, 1.5, 1.4),
    "MSAUNet": (1.3, 1.3, 1.4),
    "U2Net": (0.8, 1.0, 1.2),
}
TRAINERS = (BASELINE, *(f"{BASELINE}{network}" for network in {**GOALS, **NETWORKS}))
ON_DEVICE, FAST = f"{BASELINE}_gpuaug", f"{BASELINE}_fast"
FAST_TRAINERS = (FAST, f"{BASELINE}UTANet_fast", f"{BASELINE}_gpuaug_fast")
REHEARSED = (BASELINE, f"{BASELINE}UTANet")  # in every kind of row

TIME_GOALS = {
    plan: {f"{BASELINE}{network}": goals[position] for network, goals in GOALS.items()}
    for position, plan in enumerate((LARGE_3D, LARGE_2D))
}
MEMORY_GOALS = {f"{BASELINE}{network}": goals[2] for network, goals in GOALS.items()}
FIRST_STEP_GOAL, FIRST_STEP_CORES = 60, 8  # seconds, with so many CPU cores
AUGMENTATION_GOAL_MS, AUGMENTATION_MEMORY_GOAL = 7, 1.5
FAST_GOAL, FAST_AUGMENTATION_GOAL = 0.75, 1.05  # of nnUNetTrainer's compiled step, of nnUNetTrainer_fast's

PARTS = ("steps", "fast", "augmentation", "first", "prediction", "cores")


@dataclass(frozen=True)
class Row:
    """One measurement in one process, with its share of the CPU cores (0: an even one) and its expected seconds.

    alone: nothing else runs meanwhile.
    """

    part: str
    plan: str
    trainer: str
    compiled: bool
    seconds: float
    cores: int = 0
    alone: bool = False

    @property
    def key(self) -> str:
        """What the row is called in the file of rows."""
        return f"{self.part} | {self.plan} | {self.trainer} | {mode(self.compiled)}"


def mode(compiled: bool) -> str:
    """The word for it in keys and tables."""
    return "compiled" if compiled else "uncompiled"


def steps(plan: str, compiled: bool, trainers: Iterable[str] = TRAINERS, part: str = "steps") -> list[Row]:
    """Training steps; the seconds are those of 16 slow cores, where compiling takes one to three minutes."""
    return [Row(part, plan, trainer, compiled, 120 if compiled else 20) for trainer in trainers]


def all_rows() -> list[Row]:
    """Every row, the most important first."""
    return [
        Row("machine", "", "", False, 15),
        *steps(LARGE_3D, False),
        *steps(LARGE_3D, True),
        *steps(LARGE_3D, True, [ON_DEVICE, *FAST_TRAINERS], "fast"),
        *steps(LARGE_3D, False, [ON_DEVICE], "fast"),
        *(Row("augmentation", work, "_gpuaug", False, 15) for work in WORKS),
        *steps(LARGE_2D, True),  # the goals are those of compiled steps
        *steps(LARGE_2D, False),
        *(Row("first", LARGE_3D, name, True, 120, FIRST_STEP_CORES) for name in TRAINERS),
        *(Row("prediction", LARGE_3D, name, False, 40) for name in TRAINERS),
        *steps(HIPPOCAMPUS, True),
        *steps(HIPPOCAMPUS, False),
        *(
            Row("cores", plan, name, compiled, 150, alone=True)
            for plan in (LARGE_3D, HIPPOCAMPUS)
            for name in (BASELINE, ON_DEVICE)
            for compiled in (True, False)
        ),
    ]


def chosen(parts: Iterable[str], done: Iterable[str], rehearsal: bool = False) -> list[Row]:
    """The rows of some parts that are not measured yet; what machine it is always comes first."""
    rows = [row for row in all_rows() if row.part in ("machine", *parts) and row.key not in set(done)]
    return [row for row in rows if is_rehearsed(row)] if rehearsal else rows


def is_rehearsed(row: Row) -> bool:
    """Whether a rehearsal needs it: all networks once, then one of ours for every kind of row."""
    if row.part == "cores":
        return row.plan == LARGE_3D and row.compiled
    return (row.plan == LARGE_3D and row.part == "steps") or row.trainer in REHEARSED or row.trainer not in TRAINERS
