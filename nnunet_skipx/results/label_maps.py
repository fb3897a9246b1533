"""Metrics that nnU-Net's summaries lack, from the label maps themselves: side by side, and kept for the next report."""

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from nnunetv2.evaluation.evaluate_predictions import region_or_label_to_mask
from nnunetv2.imageio.reader_writer_registry import determine_reader_writer_from_dataset_json
from tqdm import tqdm

from nnunet_skipx.results.case_metrics import case_metrics
from nnunet_skipx.results.collect import label_names
from nnunet_skipx.results.dice import udtransnet_dice
from nnunet_skipx.results.study import replicate_number
from nnunet_skipx.system.files import write_json
from nnunet_skipx.system.json_files import number, object_of, read_json

MOST_PROCESSES = 8  # a case may need gigabytes
LITTLE = 2**20  # bytes of label maps that are measured sooner than a process starts
KNOWN = object_of(object_of(number(-1e300, 1e300, or_nan=True), fewest=1))


@dataclass(frozen=True)
class Wanted:
    """Which metrics to take: NSD at a tolerance in mm and HD95 (None: neither), lesion F1, Dice slice by slice."""

    nsd_mm: float | None = None
    lesions: bool = False
    slice_dice: bool = False

    def __post_init__(self) -> None:
        if self.nsd_mm is not None and self.nsd_mm < 0:
            raise ValueError(
                f"--nsd-mm {self.nsd_mm:g} is no distance: give millimetres, for example the spacing of the data"
            )


@dataclass(frozen=True)
class Job:
    """One predicted case of a row: what the tidy table says of it, and the two files."""

    cell: tuple[Any, ...]  # the table's columns up to the case
    reference: Path
    prediction: Path

    def key(self, settings: str) -> str:
        """Equal for equal files and settings; FileNotFoundError for a file that is missing."""
        digest = hashlib.sha256(settings.encode())
        for path in (self.reference, self.prediction):
            digest.update(path.read_bytes())
        return digest.hexdigest()


def label_map_metrics(
    models: Mapping[str, Sequence[Path]],
    table: pd.DataFrame,
    references: Path,
    dataset_json: dict[str, Any],
    wanted: Wanted,
    cache: Path,
) -> tuple[pd.DataFrame, list[str]]:
    """IoU, volume error and what else is wanted of every case of the table, in its columns; and what could not be read.

    Where a label map is missing or broken, or the two differ in shape, the case has NaN, and a remark says why.

    Args:
        models: model folders by row name, one per replicate.
        table: tidy.
        references: label maps, for example nnUNet_preprocessed/DatasetXXX_Name/gt_segmentations.
        cache: JSON file with what was measured before, by the content of the files; written also when interrupted.

    Raises:
        FileNotFoundError: no case can be measured; names the first fault.
    """
    jobs = find_jobs(models, table, references, dataset_json["file_ending"])
    settings = json.dumps([dataset_json["labels"], dataset_json.get("regions_class_order"), asdict(wanted)])
    keys, problems = _keys(jobs, settings)
    known: dict[str, dict[str, float]] = {}
    if cache.is_file():
        known = read_json(cache, KNOWN, "delete it, and what it holds is measured again")
    missing = list({key: job for job, key in keys.items() if key not in known}.values())
    cache.parent.mkdir(parents=True, exist_ok=True)
    try:
        for job, values in _measured(missing, dataset_json, wanted):
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
    return pd.DataFrame(rows, columns=list(table.columns)), problems


def find_jobs(models: Mapping[str, Sequence[Path]], table: pd.DataFrame, references: Path, ending: str) -> list[Job]:
    """A job for each case of each row and replicate."""
    columns = list(table.columns)
    cells = table[columns[: columns.index("case") + 1]].drop_duplicates()
    jobs = []
    for cell in cells.itertuples(index=False):
        (folder,) = (path for path in models[cell.row] if replicate_number(path) == cell.replicate)
        prediction = folder / f"fold_{cell.fold}" / "validation" / f"{cell.case}{ending}"
        jobs.append(Job(tuple(cell), references / f"{cell.case}{ending}", prediction))
    return jobs


def _keys(jobs: Sequence[Job], settings: str) -> tuple[dict[Job, str], list[str]]:
    keys, problems = {}, []
    for job in jobs:
        try:
            keys[job] = job.key(settings)
        except FileNotFoundError as error:
            problems.append(f"Label map {error.filename} is missing.")
    return keys, sorted(set(problems))


def _measured(
    jobs: Sequence[Job], dataset_json: dict[str, Any], wanted: Wanted
) -> Iterator[tuple[Job, dict[str, float] | str]]:
    """What `measure` gives for each job, side by side where there is much to do."""
    if sum(job.prediction.stat().st_size for job in jobs) < LITTLE:
        with warnings.catch_warnings():
            _ignore_monais_warning()
            yield from ((job, measure(job, dataset_json, wanted)) for job in jobs)
        return
    processes = min(os.cpu_count() or 1, MOST_PROCESSES, max(1, len(jobs)))
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_one_thread) as pool:
        measured = pool.map(measure, jobs, [dataset_json] * len(jobs), [wanted] * len(jobs), chunksize=4)
        yield from zip(jobs, tqdm(measured, desc="label maps", total=len(jobs), disable=not jobs), strict=True)


def _one_thread() -> None:
    torch.set_num_threads(1)
    _ignore_monais_warning()


def _ignore_monais_warning() -> None:
    """Of MONAI's own call of an argument of its own, once per process."""
    warnings.filterwarnings("ignore", category=FutureWarning, module="monai")


def measure(job: Job, dataset_json: dict[str, Any], wanted: Wanted) -> dict[str, float] | str:
    """The metrics of one case, keyed "label/metric", or a sentence that says which file is at fault."""
    reader = determine_reader_writer_from_dataset_json(dataset_json, str(job.reference), verbose=False)()
    maps = []
    for path in (job.reference, job.prediction):
        try:
            label_map, properties = reader.read_seg(str(path))
        except (RuntimeError, OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[-1]
            return f"Label map {path} cannot be read ({reason}): validate this fold again with --val."
        maps.append(label_map[0])
    names = {key: name for key, name in label_names(dataset_json).items() if key != 0 and name != "ignore"}
    ignore = dataset_json["labels"].get("ignore")
    try:
        values = case_metrics(
            maps[0],
            maps[1],
            properties["spacing"],
            names,
            ignore,
            wanted.nsd_mm is not None,
            wanted.nsd_mm or 0.0,
            wanted.lesions,
        )
    except ValueError as error:
        return f"Label map {job.prediction} cannot be compared: {error}"
    found = {f"{label}/{metric}": value for (label, metric), value in values.items() if metric != "Dice"}
    if wanted.slice_dice:
        scored = np.full(maps[0].shape, True) if ignore is None else maps[0] != ignore
        for key, name in names.items():
            masks = [region_or_label_to_mask(label_map, key) & scored for label_map in maps]
            found[f"{name}/Dice"] = udtransnet_dice(masks[0], masks[1])
    return found


def _rows(job: Job, values: dict[str, float]) -> list[tuple[Any, ...]]:
    return [(*job.cell, *key.rsplit("/", 1), value) for key, value in values.items()]
