"""The predicted cases of a study: their files, read, and work on them side by side."""

import functools
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from nnunetv2.imageio.reader_writer_registry import determine_reader_writer_from_dataset_json
from tqdm import tqdm

from nnunet_skipx.nnunet.evaluated import again, predictions
from nnunet_skipx.nnunet.replicates import replicate_number

MOST_PROCESSES = 8  # a case may need gigabytes
LITTLE = 2**20  # bytes of label maps that are measured sooner than a process starts
Found = TypeVar("Found")


@dataclass(frozen=True)
class Job:
    """One predicted case of a row: what the tidy table says of it, and its files.

    probabilities: as nnUNetv2_train --npz writes them; None where they do not matter or are not there. cure: for a file
    at fault.
    """

    cell: tuple[Any, ...]  # the table's columns up to the case
    reference: Path
    prediction: Path
    probabilities: Path | None = None
    cure: str = again(0)

    @property
    def files(self) -> list[Path]:
        """All that are read."""
        return [path for path in (self.reference, self.prediction, self.probabilities) if path is not None]

    def key(self, settings: str) -> str:
        """Equal for equal files and settings; FileNotFoundError for a file that is missing."""
        digest = hashlib.sha256(settings.encode())
        for path in self.files:
            digest.update(path.read_bytes())
        return digest.hexdigest()


def find_jobs(
    models: Mapping[str, Sequence[Path]], table: pd.DataFrame, references: Path, ending: str, probabilities: bool
) -> list[Job]:
    """A job for each case of each row and replicate, those of a case together.

    probabilities: with those that are there.
    """
    columns = list(table.columns)
    cells = table[columns[: columns.index("case") + 1]].drop_duplicates()
    jobs = []
    for cell in cells.itertuples(index=False):
        (folder,) = (path for path in models[cell.row] if replicate_number(path) == cell.replicate)
        predicted = predictions(folder, cell.fold)
        npz = predicted / f"{cell.case}.npz"
        beside = npz if probabilities and npz.is_file() else None
        reference, prediction = (where / f"{cell.case}{ending}" for where in (references, predicted))
        jobs.append(Job(tuple(cell), reference, prediction, beside, again(cell.fold)))
    return sorted(jobs, key=lambda job: job.reference)


def read_maps(job: Job, dataset_json: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """Reference and prediction (z, y, x) and their spacing in mm; ValueError, a sentence, for a file at fault."""
    with _at_fault(job.reference, job.cure):
        written = job.reference.stat()
        key = job.reference, written.st_mtime_ns, written.st_size, json.dumps(dataset_json)
        reader, reference = _read_reference(*key)
    with _at_fault(job.prediction, job.cure):
        prediction, properties = reader.read_seg(str(job.prediction))
    return reference, prediction[0], tuple(properties["spacing"])


@functools.lru_cache(maxsize=1)
def _read_reference(path: Path, written: int, size: int, dataset_json: str) -> tuple[Any, np.ndarray]:
    """Its reader and the label map, once for all rows, whose jobs follow each other; written, size: of the file."""
    reader = determine_reader_writer_from_dataset_json(json.loads(dataset_json), str(path), verbose=False)()
    label_map = reader.read_seg(str(path))[0][0]
    label_map.flags.writeable = False
    return reader, label_map


@contextmanager
def _at_fault(path: Path, cure: str) -> Iterator[None]:
    """What goes wrong in reading a label map as a sentence."""
    try:
        yield
    except (RuntimeError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f"Label map {path} cannot be read ({reason}): {cure}.") from error


def side_by_side(jobs: Sequence[Job], work: Callable[[Job], Found], what: str) -> Iterator[tuple[Job, Found]]:
    """What `work` gives for each job, in processes of their own where there is much to do; what: for the progress."""
    if sum(path.stat().st_size for job in jobs for path in job.files) < LITTLE:
        with warnings.catch_warnings():
            _ignore_monais_warning()
            yield from ((job, work(job)) for job in jobs)
        return
    processes = min(os.cpu_count() or 1, MOST_PROCESSES, max(1, len(jobs)))
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_one_thread) as pool:
        done = pool.map(work, jobs, chunksize=4)
        yield from zip(jobs, tqdm(done, desc=what, total=len(jobs), disable=not jobs), strict=True)


def _one_thread() -> None:
    torch.set_num_threads(1)
    _ignore_monais_warning()


def _ignore_monais_warning() -> None:
    """Of MONAI's own call of an argument of its own, once per process."""
    warnings.filterwarnings("ignore", category=FutureWarning, module="monai")
