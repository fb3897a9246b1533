"""Metrics that nnU-Net's summaries lack, from the label maps themselves: side by side, and kept for the next report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from nnunet_skipx.results.calibration import calibration
from nnunet_skipx.results.case_metrics import case_metrics
from nnunet_skipx.results.collect import scored_labels
from nnunet_skipx.results.dice import udtransnet_dice
from nnunet_skipx.results.masks import scored_masks
from nnunet_skipx.results.predicted_cases import Job, find_jobs, read_maps, side_by_side
from nnunet_skipx.results.tools import tool_versions
from nnunet_skipx.results.wanted import CALIBRATION, Wanted
from nnunet_skipx.system.files import write_json
from nnunet_skipx.system.json_files import number, object_of, read_json

KNOWN = object_of(object_of(number(-1e300, 1e300, or_nan=True), fewest=1))


def label_map_metrics(
    models: Mapping[str, Sequence[Path]],
    table: pd.DataFrame,
    references: Path,
    dataset_json: dict[str, Any],
    wanted: Wanted,
    cache: Path,
) -> tuple[pd.DataFrame, list[str]]:
    """What is wanted of every case of the table, in its columns; and what could not be read.

    Where a label map is missing or broken, or the two differ in shape, the case has NaN, and a remark says why.

    Args:
        models: model folders by row name, one per replicate.
        table: tidy.
        references: label maps, for example nnUNet_preprocessed/DatasetXXX_Name/gt_segmentations.
        cache: JSON file with what was measured before, by the content of the files; written also when interrupted.

    Raises:
        FileNotFoundError: no case can be measured; names the first fault.
    """
    jobs = find_jobs(models, table, references, dataset_json["file_ending"], wanted.calibration)
    keys, problems = _keys(jobs, _settings(dataset_json, wanted))
    known: dict[str, dict[str, float]] = {}
    if cache.is_file():
        known = read_json(cache, KNOWN, "delete it, and what it holds is measured again")
    missing = list({key: job for job, key in keys.items() if key not in known}.values())
    cache.parent.mkdir(parents=True, exist_ok=True)
    try:
        for job, values in side_by_side(
            missing, partial(measure, dataset_json=dataset_json, wanted=wanted), "label maps"
        ):
            if isinstance(values, str):
                problems.append(values)
            else:
                known[keys[job]] = values
    finally:
        write_json(cache, known)
    measured = [known[key] for key in keys.values() if key in known]
    if not measured:
        raise FileNotFoundError(f"no label map could be compared, beginning with: {problems[0]}")
    nothing = dict.fromkeys(measured[0], float("nan"))
    rows = [row for job in jobs for row in _rows(job, known.get(keys.get(job, ""), nothing))]
    found = pd.DataFrame(rows, columns=list(table.columns))
    if wanted.calibration:
        found, remark = _with_probabilities_only(found, jobs)
        problems += remark
    return found, problems


def measure(job: Job, dataset_json: dict[str, Any], wanted: Wanted) -> dict[str, float] | str:
    """The metrics of one case, keyed "label/metric", or a sentence that says which file is at fault."""
    names, ignore = scored_labels(dataset_json), dataset_json["labels"].get("ignore")
    try:
        reference, prediction, spacing = read_maps(job, dataset_json)
    except ValueError as error:
        return str(error)
    try:
        values = case_metrics(reference, prediction, spacing, names, ignore, wanted)
    except ValueError as error:
        return f"Label map {job.prediction} cannot be compared: {error}"
    found = {f"{label}/{metric}": value for (label, metric), value in values.items() if metric != "Dice"}
    if wanted.slice_dice:
        for name, masks, _ in scored_masks(reference, prediction, spacing, names, ignore):
            one, other = (mask.reshape(reference.shape) for mask in masks)
            found[f"{name}/Dice"] = udtransnet_dice(one, other)
    if wanted.calibration:
        try:
            believed = calibration(job.probabilities, reference, names, ignore)
        except ValueError as error:
            return str(error)
        found |= {f"{label}/{metric}": value for (label, metric), value in believed.items()}
    return found


def _settings(dataset_json: dict[str, Any], wanted: Wanted) -> str:
    """All besides the files that a value depends on."""
    labels = [dataset_json["labels"], dataset_json.get("regions_class_order")]
    return json.dumps([*labels, asdict(wanted), tool_versions()])


def _keys(jobs: Sequence[Job], settings: str) -> tuple[dict[Job, str], list[str]]:
    keys, problems = {}, []
    for job in jobs:
        try:
            keys[job] = job.key(settings)
        except FileNotFoundError as error:
            problems.append(f"Label map {error.filename} is missing.")
    return keys, sorted(set(problems))


def _rows(job: Job, values: dict[str, float]) -> list[tuple[Any, ...]]:
    return [(*job.cell, *key.rsplit("/", 1), value) for key, value in values.items()]


def _with_probabilities_only(found: pd.DataFrame, jobs: Sequence[Job]) -> tuple[pd.DataFrame, list[str]]:
    """Without metrics of probabilities if no case has any; and how many cases have none."""
    lacking = sum(job.probabilities is None for job in jobs)
    if not lacking:
        return found, []
    told = f"{lacking} of {len(jobs)} predictions have no probabilities: nnUNetv2_train ... --val --npz writes them."
    return found if lacking < len(jobs) else found[~found["metric"].isin(CALIBRATION)], [told]
