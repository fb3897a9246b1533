"""How large the structures of the reference are, as the voxel counts of nnU-Net's summaries and the headers say."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from nnunet_skipx.nnunet.evaluated import Evaluated, again, summary_file
from nnunet_skipx.nnunet.images import read_grid
from nnunet_skipx.results.collect import scored_labels
from nnunet_skipx.results.study import Models
from nnunet_skipx.results.summary import read_summary

COLUMNS = ("fold", "case", "label", "size")
MM3_PER_ML = 1000


@dataclass(frozen=True)
class Sizes:
    """table: a line per fold, case and class that the reference has, size in `unit`."""

    table: pd.DataFrame
    unit: Literal["ml", "voxels"]


def structure_sizes(
    models: Models, folds: Sequence[Evaluated], dataset_json: dict[str, Any], references: Path | None
) -> Sizes:
    """In ml where every reference is a volume whose header can be read, else in voxels.

    models, folds (its `evaluated`), dataset_json: those of a `Study`, whose summaries have been read and checked.
    references: folder of the true label maps.
    """
    names, ending = scored_labels(dataset_json), dataset_json["file_ending"]
    folder = next(iter(models.values()))[0]
    lines = [
        (fold, case, names[key], float(counts["n_ref"]))
        for fold in folds
        for case, scores in read_summary(summary_file(folder, fold), ending, again(fold)).items()
        for key, counts in scores.items()
        if key in names and counts.get("n_ref", 0) > 0  # nnU-Net's older summaries have none
    ]
    table = pd.DataFrame(lines, columns=list(COLUMNS))
    volumes = {case: _voxel_mm3(references, f"{case}{ending}") for case in table["case"].unique()}
    if not volumes or any(np.isnan(volume) for volume in volumes.values()):
        return Sizes(table, "voxels")
    return Sizes(table.assign(size=table["size"] * table["case"].map(volumes) / MM3_PER_ML), "ml")


def _voxel_mm3(references: Path | None, name: str) -> float:
    """NaN where it is not known, or a pixel."""
    grid = read_grid(references / name) if references is not None else None
    return float(np.prod(grid.spacing)) if grid is not None and len(grid.size) == 3 else float("nan")
