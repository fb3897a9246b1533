"""Predicted memory as text."""

import math
from collections.abc import Mapping
from pathlib import Path

from nnunet_skipx.nnunet.json_files import read_plans
from nnunet_skipx.planning.training_memory import TrainingMemory
from nnunet_skipx.system.text_table import text_table

GIGABYTE = 2**30
ENOUGH = 0.85  # of the memory: a plan that takes as much is not called small
SEEN = 0.05  # nnU-Net's max_dataset_covered


def memory_text(memory: Mapping[str, TrainingMemory], gigabytes: float | None = None, parts: bool = True) -> str:
    """Patch, batch and predicted memory of each configuration; with `parts` also what it is made of, in MB."""
    of = "" if gigabytes is None else f" of {gigabytes:g}"
    lines = ["Predicted peak of a training step on a GPU (float16 autocast, not compiled; no GPU was measured):"]
    for configuration, one in memory.items():
        patch = "x".join(map(str, one.patch_size))
        lines.append(f"{configuration}: patch {patch}, batch {one.batch_size}: {one.peak / GIGABYTE:.2f}{of} GB")
    if not parts:
        return "\n".join(lines)
    names = list(dict.fromkeys(part for one in memory.values() for part, size in one.parts.items() if size >= 2**20))
    rows = [
        {"MB at the peak": name} | {c: _megabytes(one.parts.get(name, 0)) for c, one in memory.items()}
        for name in names
    ]
    rest = {c: sum(size for part, size in one.parts.items() if part not in names) for c, one in memory.items()}
    rows.append({"MB at the peak": "less than 1 MB each"} | {c: _megabytes(size) for c, size in rest.items()})
    rows.append({"MB at the peak": "sum"} | {c: _megabytes(one.peak) for c, one in memory.items()})
    return "\n".join([*lines, "", text_table(rows)])


def why_small(plans: Path, cases: int, memory: Mapping[str, TrainingMemory], gigabytes: float) -> list[str]:
    """A sentence for each configuration that leaves much of the GPU's memory unused; cases: those for training."""
    configurations = read_plans(plans)["configurations"]
    told = []
    for name, one in memory.items():
        planned = configurations[name]
        if one.peak > ENOUGH * gigabytes * GIGABYTE or "median_image_size_in_voxels" not in planned:
            continue
        image = planned["median_image_size_in_voxels"]
        voxels = math.prod(
            configurations["3d_fullres" if name == "2d" and "3d_fullres" in configurations else name][
                "median_image_size_in_voxels"
            ]
        )
        reasons = []
        if all(patch >= math.floor(size) for patch, size in zip(one.patch_size, image, strict=True)):
            reasons.append(f"the patch holds the whole median image ({'x'.join(f'{size:g}' for size in image)})")
        if one.batch_size >= round(SEEN * voxels * cases / math.prod(one.patch_size)):
            reasons.append(f"nnU-Net lets a batch have {SEEN:.0%} of the data set's voxels at most")
        told.append(
            f"{name} leaves memory unused, because {' and '.join(reasons) or 'the next larger patch would not fit'}."
        )
    return told


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.0f}"
