"""Predicted memory as text."""

from collections.abc import Mapping

from nnunet_skipx.planning.training_memory import TrainingMemory
from nnunet_skipx.system.text_table import text_table

GIGABYTE = 2**30


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


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.0f}"
