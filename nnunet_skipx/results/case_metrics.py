"""The metrics of one predicted label map against its reference, for the report of a cross-validation."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from monai.metrics.hausdorff_distance import compute_hausdorff_distance
from monai.metrics.surface_dice import compute_surface_dice
from nnunetv2.evaluation.evaluate_predictions import compute_tp_fp_fn_tn, region_or_label_to_mask
from scipy import ndimage

from nnunet_skipx.results.summary import LabelKey

OVERLAP = ("Dice", "IoU", "volume error")
BOUNDARY = ("NSD", "HD95")
LESIONS = ("lesion F1",)
NAN = float("nan")


def case_metrics(
    reference: np.ndarray,
    prediction: np.ndarray,
    spacing: Sequence[float],
    labels: Mapping[LabelKey, str],
    ignore_label: int | None,
    boundary: bool,
    nsd_mm: float,
    lesions: bool,
) -> dict[tuple[str, str], float]:
    """(label name, metric) -> value: the metrics `OVERLAP` and, where asked for, `BOUNDARY` and `LESIONS`.

    reference, prediction: label maps (z, y, x). One slice, (1, y, x), is an image in 2D: its boundary is a contour.
    spacing: mm per voxel, in the order of the array's axes.
    labels: what to score: a label value, or the values that make up a region, -> name, as `label_names` gives it.
    ignore_label: where the reference has it, voxels become background in both masks, for every metric. They are
        neither right nor wrong, and a structure that they cut has the same boundary there in both masks.

    Dice, IoU: nnU-Net's own. Volume error: (predicted - reference) / reference, in voxels.
    NSD: the share of both surfaces, by area, that lies within `nsd_mm` mm of the other one; the surface Dice of
        Nikolov et al. (arXiv 1809.04430, 2018; J Med Internet Res 23(7), 2021).
    HD95: mm; the larger of the 95th percentiles of the distances from either boundary to the other.
    Lesion F1: 2 TP / (2 TP + FP + FN); lesions are components connected by faces, edges or corners. TP and FN are
        reference lesions that do and do not share a voxel with the prediction, FP predicted lesions that share none.

    Where neither map has a label, all its metrics are NaN. Where only one has it, NSD is 0 and HD95 NaN, because
    infinity would spoil every mean: a mean HD95 is blind to such failures, so read it beside NSD or Dice. Volume
    error is NaN where the reference lacks the label. The border of the image is a boundary of a mask that touches it.
    Raises ValueError where the shapes differ, or are not that of one volume with its spacing.
    """
    _require_one_volume(reference, prediction, spacing)
    if reference.shape[0] == 1:
        reference, prediction, spacing = reference[0], prediction[0], spacing[1:]
    scored = np.full(reference.shape, True) if ignore_label is None else reference != ignore_label
    values: dict[tuple[str, str], float] = {}
    for key, name in labels.items():
        masks = _cropped_masks(reference, prediction, scored, key)
        metrics = dict(zip(OVERLAP, _overlap(*masks), strict=True))
        if boundary:
            metrics |= zip(BOUNDARY, _boundary(*masks, spacing, nsd_mm), strict=True)
        if lesions:
            metrics |= zip(LESIONS, [_lesion_f1(*masks)], strict=True)
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


def _cropped_masks(
    reference: np.ndarray, prediction: np.ndarray, scored: np.ndarray, key: LabelKey
) -> tuple[np.ndarray, np.ndarray]:
    """Where each map has the label, cut down to the box around both.

    The box has no margin: MONAI closes a mask at the border of an array, so nothing changes but the time it takes.
    """
    masks = [region_or_label_to_mask(label_map, key) & scored for label_map in (reference, prediction)]
    boxes = ndimage.find_objects((masks[0] | masks[1]).astype(np.uint8))  # it rejects bool
    box = boxes[0] if boxes else ()
    return masks[0][box], masks[1][box]


def _overlap(reference: np.ndarray, prediction: np.ndarray) -> tuple[float, float, float]:
    """(Dice, IoU, volume error) of two masks."""
    tp, fp, fn, _ = compute_tp_fp_fn_tn(reference, prediction)
    return _ratio(2 * tp, 2 * tp + fp + fn), _ratio(tp, tp + fp + fn), _ratio(fp - fn, tp + fn)


def _boundary(
    reference: np.ndarray, prediction: np.ndarray, spacing: Sequence[float], nsd_mm: float
) -> tuple[float, float]:
    """(NSD, HD95 in mm) of two masks in 2D or 3D."""
    if not reference.any() or not prediction.any():
        return 0.0 if reference.any() or prediction.any() else NAN, NAN
    y_pred, y = (torch.from_numpy(mask)[None, None] for mask in (prediction, reference))
    mm = [float(step) for step in spacing]  # MONAI rejects a mix of int and float
    nsd = compute_surface_dice(y_pred, y, [nsd_mm], include_background=True, spacing=mm, use_subvoxels=True)
    hd95 = compute_hausdorff_distance(y_pred, y, include_background=True, percentile=95, spacing=mm)
    return float(nsd), float(hd95)


def _lesion_f1(reference: np.ndarray, prediction: np.ndarray) -> float:
    corners_too = np.ones((3,) * reference.ndim)
    reference_lesions, reference_count = ndimage.label(reference, corners_too)
    predicted_lesions, predicted_count = ndimage.label(prediction, corners_too)
    shared = reference & prediction
    tp = np.unique(reference_lesions[shared]).size
    fp = predicted_count - np.unique(predicted_lesions[shared]).size
    return _ratio(2 * tp, 2 * tp + fp + reference_count - tp)


def _ratio(numerator: int, denominator: int) -> float:
    return float(numerator / denominator) if denominator else NAN
