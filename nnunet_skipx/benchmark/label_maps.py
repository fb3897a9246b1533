"""Metrics that nnU-Net's summaries lack, from the label maps themselves: side by side, and kept for the next report."""
import hashlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from nnunetv2.imageio.reader_writer_registry import determine_reader_writer_from_dataset_json
from tqdm import tqdm

from nnunet_skipx.benchmark.case_metrics import case_metrics
from nnunet_skipx.benchmark.collect import label_names, model_name_parts
from nnunet_skipx.files import write_json

MOST_PROCESSES = 8  # a case may need gigabytes


@dataclass(frozen=True)
class Job:
    """One predicted case of a model (a folder), and where its reference is."""

    model: Path
    name: str
    fold: int
    case: str
    reference: Path
    prediction: Path

    def key(self, settings: str) -> str:
        """Equal for equal files and settings."""
        digest = hashlib.sha256(settings.encode())
        for path in (self.reference, self.prediction):
            digest.update(path.read_bytes())
        return digest.hexdigest()


def label_map_metrics(
    models: Mapping[str, Path],
    table: pd.DataFrame,
    references: Path,
    dataset_json: dict[str, Any],
    nsd_mm: float,
    cache: Path,
) -> pd.DataFrame:
    """IoU, volume error, NSD and HD95 of every case of the table, in its columns.

    Args:
        models: model folders by row name.
        table: tidy, with the row names as trainers.
        references: label maps, for example nnUNet_preprocessed/DatasetXXX_Name/gt_segmentations.
        nsd_mm: tolerance of NSD in mm.
        cache: JSON file with what was measured before, by the content of the files; written when done.

    Raises:
        FileNotFoundError: a label map is missing.
        ValueError: a negative tolerance, a file that cannot be read, or maps of different shapes; names the case.
    """
    if nsd_mm < 0:
        raise ValueError(f"--nsd-mm {nsd_mm} is no distance: give millimetres, for example the spacing of the data")
    jobs = find_jobs(models, table, references, dataset_json["file_ending"])
    settings = json.dumps([dataset_json["labels"], dataset_json.get("regions_class_order"), nsd_mm])
    known: dict[str, dict[str, float]] = json.loads(cache.read_text()) if cache.is_file() else {}
    keys = {job: job.key(settings) for job in jobs}
    missing = list({keys[job]: job for job in jobs if keys[job] not in known}.values())
    processes = min(os.cpu_count() or 1, MOST_PROCESSES, max(1, len(missing)))
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        measured = pool.map(measure, missing, [dataset_json] * len(missing), [nsd_mm] * len(missing))
        for job, values in zip(missing, tqdm(measured, desc="label maps", total=len(missing)), strict=True):
            known[keys[job]] = values
    cache.parent.mkdir(parents=True, exist_ok=True)
    write_json(cache, known)
    rows = [row for job in jobs for row in _rows(job, known[keys[job]])]
    return pd.DataFrame(rows, columns=list(table.columns))


def find_jobs(models: Mapping[str, Path], table: pd.DataFrame, references: Path, ending: str) -> list[Job]:
    """A job for each case of each row; FileNotFoundError for a label map that is missing."""
    jobs = []
    for name, fold, case in table[["trainer", "fold", "case"]].drop_duplicates().itertuples(index=False):
        prediction = models[name] / f"fold_{fold}" / "validation" / f"{case}{ending}"
        job = Job(models[name], name, int(fold), case, references / f"{case}{ending}", prediction)
        for path in (job.reference, job.prediction):
            if not path.is_file():
                raise FileNotFoundError(f"label map {path} is missing, which metrics of boundaries need")
        jobs.append(job)
    return jobs


def measure(job: Job, dataset_json: dict[str, Any], nsd_mm: float) -> dict[str, float]:
    """The metrics of one case, keyed "label/metric"; ValueError that names the file or case at fault."""
    reader = determine_reader_writer_from_dataset_json(dataset_json, str(job.reference), verbose=False)()
    maps = []
    for path in (job.reference, job.prediction):
        try:
            label_map, properties = reader.read_seg(str(path))
        except (RuntimeError, OSError, ValueError) as error:
            raise ValueError(f"{path} cannot be read ({error}): validate this fold again with --val") from error
        maps.append(label_map[0])
    names = {key: name for key, name in label_names(dataset_json).items() if key != 0 and name != "ignore"}
    try:
        values = case_metrics(maps[0], maps[1], properties["spacing"], names, dataset_json["labels"].get("ignore"),
                              boundary=True, nsd_mm=nsd_mm, lesions=False)  # fmt: skip
    except ValueError as error:
        raise ValueError(f"{job.prediction}: {error}") from error
    return {f"{label}/{metric}": value for (label, metric), value in values.items() if metric != "Dice"}


def _rows(job: Job, values: dict[str, float]) -> list[tuple]:
    _, plans, configuration = model_name_parts(job.model)
    cell = (job.model.parent.name, job.name, plans, configuration, job.fold, job.case)
    return [(*cell, *key.rsplit("/", 1), value) for key, value in values.items()]
