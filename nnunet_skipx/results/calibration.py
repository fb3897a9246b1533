"""Whether probabilities can be believed: those that nnUNetv2_train --npz writes beside its predictions."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from nnunetv2.evaluation.evaluate_predictions import region_or_label_to_mask

from nnunet_skipx.results.summary import LabelKey
from nnunet_skipx.results.wanted import BINS, CALIBRATION

NAN = float("nan")
HALF = 0.5  # above, nnU-Net gives a voxel to a region


def calibration(
    path: Path | None, reference: np.ndarray, labels: Mapping[LabelKey, str], ignore_label: int | None
) -> dict[tuple[str, str], float]:
    """(label name, metric) -> value, the metrics `CALIBRATION`; NaN without a file.

    path: an .npz with `probabilities` (channel, z, y, x), as nnU-Net writes them: a channel per label, background
        first; with regions one per region, in the order of dataset.json.
    reference: label map (z, y, x). labels: what is scored, without background. ignore_label: voxels of the reference
        that count nowhere.
    Raises ValueError, a sentence, for a file that is broken or of another shape.
    """
    if path is None:
        return {(name, metric): NAN for name in labels.values() for metric in CALIBRATION}
    probabilities = _read(path, reference, labels)
    scored = np.full(reference.shape, True) if ignore_label is None else reference != ignore_label
    regions = _has_regions(labels)
    most_likely = None if regions else probabilities.argmax(0)
    values: dict[tuple[str, str], float] = {}
    for number, (key, name) in enumerate(labels.items()):
        p = probabilities[number if regions else key][scored].astype(np.float64)
        is_there = region_or_label_to_mask(reference, key)[scored]
        said = p > HALF if most_likely is None else most_likely[scored] == key
        pair = calibration_error(p[said], is_there[said]), 1000 * brier_score(p, is_there)
        values |= {(name, metric): value for metric, value in zip(CALIBRATION, pair, strict=True)}
    return values


def calibration_error(confidence: np.ndarray, hit: np.ndarray) -> float:
    """Expected calibration error (Guo et al., ICML 2017) of voxels `(n,)`; NaN for none.

    confidence: probability of what was said, 0 to 1, in `BINS` bins of equal width, upper ends belonging to the next
    bin, 1 to the last. hit: whether it was so.

    >>> round(calibration_error(np.array([0.95, 0.95, 0.55, 0.55]), np.array([True, True, True, False])), 3)
    0.05
    """
    if not len(confidence):
        return NAN
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, confidence - hit, BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def brier_score(probability: np.ndarray, is_there: np.ndarray) -> float:
    """Mean squared difference of probability and truth (0 or 1) over voxels `(n,)`; NaN for none.

    >>> brier_score(np.array([1.0, 0.5]), np.array([True, False]))
    0.125
    """
    return float(((probability - is_there) ** 2).mean()) if len(probability) else NAN


def _has_regions(labels: Mapping[LabelKey, str]) -> bool:
    return any(isinstance(key, tuple) for key in labels)


def _read(path: Path, reference: np.ndarray, labels: Mapping[LabelKey, str]) -> np.ndarray:
    cure = "validate this fold again with --val --npz."
    try:
        with np.load(path) as content:
            probabilities: np.ndarray = content["probabilities"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"Probabilities {path} cannot be read ({error}): {cure}") from error
    channels = len(labels) + (0 if _has_regions(labels) else 1)
    if probabilities.shape != (channels, *reference.shape):
        raise ValueError(
            f"Probabilities {path} have shape {probabilities.shape}, not {(channels, *reference.shape)} as labels and "
            f"reference have it: {cure}"
        )
    return probabilities
