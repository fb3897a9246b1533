"""Lesions: connected components of two masks, matched one to one by their overlap."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

LESIONS = ("lesion F1", "lesion SQ", "lesion PQ", "lesion sensitivity", "lesion FP")
NAN = float("nan")
ROUNDING = 1e-9  # of volumes in mm3


@dataclass(frozen=True)
class LesionRule:
    """When a lesion counts, and when it is found.

    iou: a pair matches above this IoU. At 0.5, that of panoptic quality (Kirillov et al., CVPR 2019), nothing can match
    twice; at 0 any shared voxel will do. min_mm3: smaller components are taken out of both maps.
    """

    iou: float = 0.5
    min_mm3: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.iou < 1:
            raise ValueError(f"--lesion-iou {self.iou:g} is no threshold: give 0 (any shared voxel) to less than 1")
        if not 0 <= self.min_mm3 < math.inf:
            raise ValueError(f"--lesion-min-mm3 {self.min_mm3:g} is no volume: give mm3, for example 3")

    @property
    def words(self) -> str:
        """As it stands behind a metric's name."""
        return f"IoU > {self.iou:g}" + (f", {self.min_mm3:g} mm3 or more" if self.min_mm3 else "")


def lesion_metrics(
    reference: np.ndarray, prediction: np.ndarray, spacing: Sequence[float], rule: LesionRule
) -> dict[str, float]:
    """`LESIONS` of two masks of one shape, of 2 or 3 axes; lesions are connected by faces, edges or corners.

    spacing: mm per voxel; in 2D the rule's mm3 are mm2. Of all ways to match one to one, that with the most pairs is
    taken, and of these the one with the largest sum of IoUs. TP: pairs; FP, FN: lesions of the prediction, of the
    reference without a partner.
    F1, panoptic quality's RQ: 2 TP / (2 TP + FP + FN). SQ: mean IoU of the pairs. PQ: F1 x SQ. Sensitivity: TP / (TP +
    FN). FP: a number. NaN for 0 / 0; PQ is 0 where nothing matches.
    """
    one, other = (_components(mask, spacing, rule.min_mm3) for mask in (reference, prediction))
    wanted, found = int(one.max(initial=0)), int(other.max(initial=0))
    matched = _matched_ious(one, other, rule.iou)
    tp, total = len(matched), float(matched.sum())
    either = wanted + found
    values = (
        2 * tp / either if either else NAN,
        total / tp if tp else NAN,
        2 * total / either if either else NAN,
        tp / wanted if wanted else NAN,
        found - tp,
    )
    return dict(zip(LESIONS, map(float, values), strict=True))


def _components(mask: np.ndarray, spacing: Sequence[float], min_mm3: float) -> np.ndarray:
    """Every voxel's lesion, numbered from 1; 0 where there is none or it is too small."""
    labels, count = ndimage.label(mask, np.ones((3,) * mask.ndim))
    volumes = np.bincount(labels.ravel(), minlength=count + 1) * float(np.prod(spacing))
    kept = volumes >= min_mm3 - ROUNDING
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), 0)
    numbered: np.ndarray = numbers[labels]
    return numbered


def _matched_ious(reference: np.ndarray, prediction: np.ndarray, threshold: float) -> np.ndarray:
    """The IoUs of the matched pairs: as many as possible, then with the largest sum."""
    lines, columns, ious = _overlapping(reference, prediction)
    allowed = ious > threshold
    lines, columns = (np.unique(numbers[allowed], return_inverse=True)[1] for numbers in (lines, columns))
    table = np.zeros((lines.max(initial=-1) + 1, columns.max(initial=-1) + 1))
    table[lines, columns] = ious[allowed]
    one_more = len(table) + 1  # a pair more outweighs every IoU
    chosen = linear_sum_assignment(np.where(table > 0, one_more + table, 0.0), maximize=True)
    matched: np.ndarray = table[chosen]
    return matched[matched > 0]


def _overlapping(reference: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(lesion of the reference, lesion of the prediction, IoU) of all that share a voxel."""
    sizes = [np.bincount(labels.ravel()) for labels in (reference, prediction)]
    both = (reference > 0) & (prediction > 0)
    pairs, shared = np.unique(reference[both] * np.int64(len(sizes[1])) + prediction[both], return_counts=True)
    lines, columns = np.divmod(pairs, len(sizes[1]))
    return lines, columns, shared / (sizes[0][lines] + sizes[1][columns] - shared)
