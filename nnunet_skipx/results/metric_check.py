"""`skipx report --check-metrics`: Dice, NSD and HD95 taken again, by DeepMind's surface-distance."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnunet_skipx.results.collect import scored_labels
from nnunet_skipx.results.masks import scored_masks
from nnunet_skipx.results.predicted_cases import Job, find_jobs, read_maps, side_by_side
from nnunet_skipx.results.summary import LabelKey
from nnunet_skipx.results.wanted import HD95, Wanted, nsd_name, reach

PACKAGE = "surface-distance"
ROUNDING = 1e-5  # of shares; distances are another definition
KEYS = ["row", "replicate", "case", "label", "metric"]


@dataclass(frozen=True)
class Disagreement:
    """The largest one of a metric: in what structure, and the two values."""

    metric: str
    structures: int
    where: str
    ours: float
    theirs: float

    @property
    def size(self) -> float:
        """How large it is."""
        return abs(self.ours - self.theirs)

    @property
    def words(self) -> str:
        """'Dice 1.2e-08 (nnUNetTrainer, case_03, Anterior: 0.843 here, 0.843 there)'."""
        both = f"{self.ours:.6g} here, {self.theirs:.6g} there"
        return f"{self.metric} {self.size:.2g} ({self.where}: {both})" if self.size else f"{self.metric} 0"


def require_second_tool() -> None:
    """RuntimeError, with the command that installs it, where surface-distance is not there."""
    if importlib.util.find_spec("surface_distance") is None:
        raise RuntimeError(f"--check-metrics takes the metrics again with {PACKAGE}: pip install {PACKAGE}")


def check_metrics(
    models: Mapping[str, Sequence[Path]],
    table: pd.DataFrame,
    references: Path,
    dataset_json: dict[str, Any],
    wanted: Wanted,
) -> list[Disagreement]:
    """The largest disagreement in Dice and, where they are in the table, NSD and HD95.

    table: tidy, with what was measured. Structures that one of the maps lacks have no boundary, and are left out.
    Raises RuntimeError where surface-distance is not installed.
    """
    require_second_tool()
    jobs = [job for job in find_jobs(models, table, references, dataset_json["file_ending"], False) if _is_there(job)]
    again = partial(measure_again, dataset_json=dataset_json, wanted=wanted)
    cells = list(table.columns[: list(table.columns).index("case") + 1])
    lines = [
        {**dict(zip(cells, job.cell, strict=True)), "label": label, "metric": metric, "theirs": value}
        for job, values in side_by_side(jobs, again, "metrics again")
        for (label, metric), value in values.items()
    ]
    if not lines:
        return []
    both = table.merge(pd.DataFrame(lines)[[*KEYS, "theirs"]], on=KEYS).dropna(subset=["value", "theirs"])
    return [_largest(str(metric), part) for metric, part in both.groupby("metric", sort=False)]


def check_remark(found: Sequence[Disagreement]) -> str:
    """The disagreements in a sentence, and what one beyond rounding means."""
    if not found:
        return f"Nothing could be checked with {PACKAGE}: no structure is in both label maps of a case."
    told = (
        f"Checked with {PACKAGE} {version(PACKAGE)} on {max(one.structures for one in found)} structures; largest "
        f"differences: {'; '.join(one.words for one in found)}."
    )
    if any(one.metric == HD95 for one in found):
        told += " Its HD95 weighs a boundary by area, MONAI's by voxels, so these may differ by about a voxel."
    if any(one.size > ROUNDING for one in found if one.metric != HD95):
        told += (
            " Dice or NSD differ by more than rounding, as where label maps are not those that nnU-Net scored: "
            "validate these folds again with --val."
        )
    return told


def measure_again(job: Job, dataset_json: dict[str, Any], wanted: Wanted) -> dict[tuple[str, str], float]:
    """`measured_again` of a case; nothing for label maps that cannot be compared, as who measured them has said."""
    names, ignore = scored_labels(dataset_json), dataset_json["labels"].get("ignore")
    try:
        reference, prediction, spacing = read_maps(job, dataset_json)
    except ValueError:
        return {}
    if reference.shape != prediction.shape:
        return {}
    return measured_again(reference, prediction, spacing, names, ignore, wanted)


def measured_again(
    reference: np.ndarray,
    prediction: np.ndarray,
    spacing: Sequence[float],
    labels: Mapping[LabelKey, str],
    ignore_label: int | None,
    wanted: Wanted,
) -> dict[tuple[str, str], float]:
    """(label name, metric) -> value by surface-distance, of the labels that both maps have.

    Arguments as `case_metrics` has them.
    """
    import surface_distance

    found = {}
    for name, (one, other), steps in scored_masks(reference, prediction, spacing, labels, ignore_label):
        if not one.any() or not other.any():
            continue
        if not wanted.slice_dice:
            found[name, "Dice"] = float(surface_distance.compute_dice_coefficient(one, other))
        if wanted.nsd_mm is not None:
            distances = surface_distance.compute_surface_distances(one, other, steps)
            nsd = surface_distance.compute_surface_dice_at_tolerance(distances, reach(wanted.nsd_mm))
            found[name, nsd_name(wanted.nsd_mm)] = float(nsd)
            found[name, HD95] = float(surface_distance.compute_robust_hausdorff(distances, 95))
    return found


def _is_there(job: Job) -> bool:
    return all(path.is_file() for path in job.files)


def _largest(metric: str, part: pd.DataFrame) -> Disagreement:
    line = part.loc[(part["value"] - part["theirs"]).abs().idxmax()]
    where = f"{line['row']}, {line['case']}, {line['label']}"
    ours, theirs = float(line["value"]), float(line["theirs"])
    return Disagreement(metric, len(part), where, ours, theirs)
