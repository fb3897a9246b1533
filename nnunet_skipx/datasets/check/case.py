"""One case, in a worker: what comes back are numbers, a hash and a thumbnail."""

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nnunet_skipx.datasets.check.reading import Array, read_array
from nnunet_skipx.datasets.check.records import CaseFiles, CaseRecord, Channel, LabelRecord, Labels
from nnunet_skipx.datasets.check.thumbnails import fullest_slice, slicing_axis, thumbnail
from nnunet_skipx.datasets.check.words import relative

SAMPLED = 1_000_000  # voxels, enough for percentiles
HIGHEST_COUNTED = 1 << 16  # label values below are counted by a table
COLOURS = 3


@dataclass(frozen=True)
class Reading:
    """What a worker needs besides the files. reader: nnU-Net's class. is_rgb: draw the first channels as colours."""

    folder: Path
    reader: type[Any]
    labels: Labels
    is_rgb: bool


@dataclass(frozen=True)
class Slice:
    """The one that is shown. axis: of the array (z, y, x). spacing: of its rows and columns."""

    axis: int
    index: int
    spacing: tuple[float, float]

    def of(self, voxels: np.ndarray) -> np.ndarray:
        """Rows and columns of an array (z, y, x), which may be smaller than the first image; a copy."""
        rows_and_columns: np.ndarray = np.take(voxels, min(self.index, voxels.shape[self.axis] - 1), axis=self.axis)
        return rows_and_columns


def record_case(files: CaseFiles, reading: Reading) -> CaseRecord:
    """Read a case, one file after the other; one that cannot be read becomes a sentence, not an error."""
    unreadable: list[str] = []
    label = read_or_tell(files.label, reading, unreadable, is_label=True) if files.label else None
    channels: list[Channel] = []
    planes: list[np.ndarray] = []
    shown = None
    for path in files.images:
        image = read_or_tell(path, reading, unreadable, is_label=False)
        if image is None:
            continue
        file, digest = relative(path, reading.folder), digest_of(image.voxels)
        channels += [replace(channel_of(values, file, image), digest=digest) for values in image.voxels]
        shown = shown or shown_slice(image, label, reading.labels)
        planes += [shown.of(values) for values in image.voxels[: COLOURS - len(planes)]]
    return CaseRecord(
        files.name,
        files.part,
        tuple(channels),
        label_record(label, relative(files.label, reading.folder)) if label and files.label else None,
        tuple(f"case {files.name}: {sentence}" for sentence in unreadable),
        drawing(planes, label, shown, reading) if shown else b"",
    )


def read_or_tell(path: Path, reading: Reading, unreadable: list[str], is_label: bool) -> Array | None:
    """A file's content; None, and a sentence in `unreadable`, when there is none to be had."""
    try:
        return read_array(path, reading.reader, is_label)
    except ValueError as error:
        unreadable.append(str(error).replace(str(path), relative(path, reading.folder)))
        return None


def digest_of(voxels: np.ndarray) -> str:
    """The same for the same voxels of the same size and kind of number."""
    digest = hashlib.blake2b(f"{voxels.shape} {voxels.dtype}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(voxels).ravel().data)
    return digest.hexdigest()


def channel_of(values: np.ndarray, file: str, image: Array) -> Channel:
    """Numbers of one channel (z, y, x) of an image."""
    finite = values[np.isfinite(values)] if image.not_finite else values.ravel()
    if not finite.size:
        return Channel(file, image.grid, np.nan, np.nan, (np.nan, np.nan), image.not_finite)
    low, high = np.percentile(finite[:: max(1, finite.size // SAMPLED)], (0.5, 99.5))
    usual = float(low), float(high)
    return Channel(file, image.grid, float(finite.min()), float(finite.max()), usual, image.not_finite)


def label_record(label: Array, file: str) -> LabelRecord:
    """Numbers of a label file."""
    voxels = Counter[float]()
    for plane in label.voxels[0]:
        voxels.update(counts_of(plane))
    return LabelRecord(file, label.grid, dict(voxels), len(label.voxels), label.not_finite)


def counts_of(plane: np.ndarray) -> dict[float, int]:
    """How many voxels have each finite value; whole numbers from 0 on, as ids are, are counted fast."""
    finite = plane[np.isfinite(plane)]
    if finite.size and finite.min() >= 0 and finite.max() < HIGHEST_COUNTED:
        ids = finite.astype(np.intp)
        if np.array_equal(ids, finite):
            table = np.bincount(ids)
            return {int(value): int(table[value]) for value in np.flatnonzero(table)}
    values, counts = np.unique(finite, return_counts=True)
    return {float(value): int(count) for value, count in zip(values, counts, strict=True)}


def shown_slice(image: Array, label: Array | None, labels: Labels) -> Slice:
    """The slice with the most foreground; the middle one without a label that fits."""
    axis, shape = slicing_axis(image.spacing), image.voxels.shape[1:]
    rows, columns = (spacing for other, spacing in enumerate(image.spacing) if other != axis)
    if label is None or label.voxels.shape[1:] != shape:
        return Slice(axis, shape[axis] // 2, (rows, columns))
    foreground = ~np.isin(label.voxels[0], labels.not_foreground)
    return Slice(axis, fullest_slice(foreground, axis), (rows, columns))


def drawing(planes: list[np.ndarray], label: Array | None, shown: Slice, reading: Reading) -> bytes:
    """The thumbnail; with contours where the label's slice has the image's size."""
    contours = shown.of(label.voxels[0]) if label else None
    if contours is not None and contours.shape != planes[0].shape:
        contours = None
    is_rgb = reading.is_rgb and len(planes) == COLOURS and len({plane.shape for plane in planes}) == 1
    return thumbnail(planes if is_rgb else planes[:1], shown.spacing, contours, reading.labels.drawn)
