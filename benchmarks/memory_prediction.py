"""Predicted against measured memory at the peak of a training step on the CPU: all networks, five shapes of plans.

    python -m benchmarks.memory_prediction [SHAPE ...]

Prints a table in MB (2^20 bytes) with the error of the prediction, and of all shapes writes it into docs/plan.md;
measured in a fresh process each, as `skipx profile` measures. Takes about a quarter of an hour.
"""

import sys
from pathlib import Path
from textwrap import indent

import torch

from benchmarks.tables import replace_block
from nnunet_skipx.architectures import NETWORKS
from nnunet_skipx.discovery import append_to_environment
from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.nnunet.throwaway import Setting
from nnunet_skipx.planning.made_up_plans import Shape, setting
from nnunet_skipx.planning.training_memory import training_memory
from nnunet_skipx.profiling.measure import in_fresh_process, resident_memory
from nnunet_skipx.profiling.steps import training_step
from nnunet_skipx.system.machine import describe_machine
from nnunet_skipx.system.text_table import text_table

PAGE = Path(__file__).parents[1] / "docs" / "plan.md"
TRAINERS = ("", *NETWORKS)
AIM = 0.15


SHAPES = {
    "3D isotropic": Shape((64, 64, 64), (1, 1, 1), 5, 2),
    "3D anisotropic": Shape((16, 128, 96), (5, 1, 1), 5, 2),
    "2D": Shape((256, 256), (1, 1), 7, 6, features=32),
    "few stages": Shape((64, 48, 64), (1, 1, 1), 3, 2),
    "other channels": Shape((48, 64, 48), (1, 1, 1), 4, 2, features=24, channels=4, classes=14),
}


def measure(trainer: str, setting: Setting, threads: int) -> float:
    """MB at the peak of a training step; to be called in a fresh process."""
    torch.set_num_threads(threads)
    trainer_class = find_trainer(trainer)
    return resident_memory(lambda: training_step(trainer_class, setting))


def main(shapes: list[str]) -> None:
    append_to_environment()
    rows = []
    for shape in shapes or SHAPES:
        for name in TRAINERS:
            trainer, order = f"nnUNetTrainer{name}", setting(SHAPES[shape])
            predicted = training_memory(find_trainer(trainer), order).peak / 2**20
            measured = in_fresh_process(measure, trainer, order, torch.get_num_threads())
            error = predicted / measured - 1
            rows.append(
                {
                    "plan": shape,
                    "trainer": trainer,
                    "predicted MB": f"{predicted:.0f}",
                    "measured MB": f"{measured:.0f}",
                    "error": f"{error:+.1%}{'' if abs(error) <= AIM else '  outside 15 %'}",
                }
            )
            print(*rows[-1].values(), file=sys.stderr)
    table = f"{text_table(rows)}\n{describe_machine()}, {torch.get_num_threads()} threads"
    print(table)
    if not shapes:
        replace_block(PAGE, "memory", f"\n{indent(table, '    ')}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
