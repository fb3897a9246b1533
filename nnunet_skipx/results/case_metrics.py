"""The metrics of one predicted label map against its reference, for the report of a cross-validation."""

from collections.abc import Mapping, Sequence

import numpy as np
from nnunetv2.evaluation.evaluate_predictions import compute_tp_fp_fn_tn

from nnunet_skipx.results.boundaries import hausdorff_95, surface_dice
from nnunet_skipx.results.lesions import lesion_metrics
from nnunet_skipx.results.masks import axes_of, boxed_masks
from nnunet_skipx.results.summary import LabelKey
from nnunet_skipx.results.wanted import HD95, HD95_WITH_MISSES, Wanted, nsd_name

OVERLAP = ("Dice", "IoU", "volume error", "absolute volume error")
NAN = float("nan")


def case_metrics(
    reference: np.ndarray,
    prediction: np.ndarray,
    spacing: Sequence[float],
    labels: Mapping[LabelKey, str],
    ignore_label: int | None,
    wanted: Wanted,
) -> dict[tuple[str, str], float]:
    """(label name, metric) -> value: `OVERLAP` and, where wanted, metrics of boundaries and of lesions.

    reference, prediction: label maps (z, y, x). One slice, (1, y, x), is an image in 2D: its boundary is a contour.
    spacing: mm per voxel, in the order of the array's axes.
    labels: what to score: a label value, or the values that make up a region, -> name, as `label_names` gives it.
    ignore_label: where the reference has it, voxels become background in both masks, for every metric. They are
        neither right nor wrong, and a structure that they cut has the same boundary there in both masks.

    Dice, IoU: nnU-Net's own. Volume error: (predicted - reference) / reference, signed and absolute.
    NSD: the share of both surfaces, by area, that lies within `nsd_mm` mm of the other one; the surface Dice of
        Nikolov et al. (arXiv 1809.04430, 2018; J Med Internet Res 23(7), 2021).
    HD95: mm; the larger of the 95th percentiles of the distances from either boundary to the other. With misses: where
        only one map has the label, the length of the image's diagonal, which no distance exceeds.
    Lesions: see `lesion_metrics`.

    Where neither map has a label, all its metrics are NaN but the number of false positive lesions, 0. Where only one
    has it, NSD is 0 and HD95 NaN, because infinity would spoil every mean. Volume errors are NaN where the reference
    lacks the label. The border of the image is a boundary of a mask that touches it.
    Raises ValueError where the shapes differ, or are not that of one volume with its spacing.
    """
    _require_one_volume(reference, prediction, spacing)
    diagonal = float(np.linalg.norm(np.multiply(reference.shape, spacing)[-axes_of(reference) :]))
    values: dict[tuple[str, str], float] = {}
    for name, masks, steps in boxed_masks(reference, prediction, spacing, labels, ignore_label):
        metrics = dict(zip(OVERLAP, _overlap(*masks), strict=True))
        if wanted.nsd_mm is not None:
            metrics |= _boundary(*masks, steps, wanted.nsd_mm, diagonal)
        if wanted.lesions is not None:
            found = lesion_metrics(*masks, steps, wanted.lesions)
            metrics |= {f"{metric} ({wanted.lesions.words})": value for metric, value in found.items()}
        values |= {(name, metric): value for metric, value in metrics.items()}
    return values


def _require_one_volume(reference: np.ndarray, prediction: np.ndarray, spacing: Sequence[float]) -> None:
    if reference.shape != prediction.shape:
        raise ValueError(
            f"The reference has shape {reference.shape}, the prediction {prediction.shape}: they are of "
            "different cases, or one was resampled. Predict this case again from its original image."
        )
    if reference.ndim != 3 or len(spacing) != 3:
        raise ValueError(
            f"Expected label maps (z, y, x) and three spacings, not shape {reference.shape} and spacing "
            f"{tuple(spacing)}. Drop the channel axis; a 2D image has shape (1, y, x)."
        )


def _overlap(reference: np.ndarray, prediction: np.ndarray) -> tuple[float, float, float, float]:
    """`OVERLAP` of two masks."""
    tp, fp, fn, _ = compute_tp_fp_fn_tn(reference, prediction)
    error = _ratio(fp - fn, tp + fn)
    return _ratio(2 * tp, 2 * tp + fp + fn), _ratio(tp, tp + fp + fn), error, abs(error)


def _boundary(
    reference: np.ndarray, prediction: np.ndarray, spacing: Sequence[float], nsd_mm: float, diagonal: float
) -> dict[str, float]:
    """NSD and HD95 of two masks in 2D or 3D."""
    name = nsd_name(nsd_mm)
    if not reference.any() and not prediction.any():
        return dict.fromkeys((name, HD95, HD95_WITH_MISSES), NAN)
    if not reference.any() or not prediction.any():
        return {name: 0.0, HD95: NAN, HD95_WITH_MISSES: diagonal}
    nsd = surface_dice(reference, prediction, spacing, nsd_mm)
    hd95 = hausdorff_95(reference, prediction, spacing)
    return {name: nsd, HD95: hd95, HD95_WITH_MISSES: hd95}


def _ratio(numerator: int, denominator: int) -> float:
    return float(numerator / denominator) if denominator else NAN
