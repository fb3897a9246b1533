"""Where the replicates of a training lie: the first where nnU-Net's commands look, the others beside it."""

import re
from pathlib import Path

OTHERS = "replicate_"


def replicate_results(results: Path, number: int) -> Path:
    """The folder of results of a replicate, counted from 1.

    >>> replicate_results(Path("results"), 1).as_posix(), replicate_results(Path("results"), 2).as_posix()
    ('results', 'results/replicate_2')
    """
    return results if number == 1 else results / f"{OTHERS}{number}"


def replicates(folder: Path) -> list[Path]:
    """The same model in the other replicates' folders of results, from the second on."""
    others = folder.parents[1].glob(f"{OTHERS}*/{folder.parent.name}/{folder.name}")
    return sorted(others, key=replicate_number)


def with_replicates(folder: Path) -> list[Path]:
    """A model, whichever replicate it is of, in all folders of results of its replicates, the first one's first."""
    results = folder.parents[2] if replicate_number(folder) > 1 else folder.parents[1]
    first = results / folder.parent.name / folder.name
    return [first, *replicates(first)]


def replicate_number(folder: Path) -> int:
    """1 for a model in the folder of results itself, N in its `replicate_N`.

    >>> replicate_number(Path("results/replicate_3/Dataset004_Hippocampus/nnUNetTrainer__nnUNetPlans__2d"))
    3
    """
    match = re.fullmatch(OTHERS + r"(\d+)", folder.parents[1].name)
    return int(match[1]) if match else 1
