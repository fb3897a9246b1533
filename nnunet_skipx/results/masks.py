"""The masks of what is scored, of reference and prediction, whole or cut down to where either has something."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from nnunetv2.evaluation.evaluate_predictions import region_or_label_to_mask
from scipy import ndimage

from nnunet_skipx.results.summary import LabelKey

Masks = tuple[np.ndarray, np.ndarray]  # of reference and prediction
Box = tuple[slice, ...]


def scored_masks(
    reference: np.ndarray,
    prediction: np.ndarray,
    spacing: Sequence[float],
    labels: Mapping[LabelKey, str],
    ignore_label: int | None,
) -> Iterator[tuple[str, Masks, Sequence[float]]]:
    """(label name, masks of reference and prediction, their spacing), of two axes for an image of one slice.

    Arguments as `case_metrics` has them.
    """
    axes = axes_of(reference)
    for key, name in labels.items():
        one, other = _masks((reference, prediction), key, ignore_label)
        yield name, (one.reshape(one.shape[-axes:]), other.reshape(other.shape[-axes:])), spacing[-axes:]


def boxed_masks(
    reference: np.ndarray,
    prediction: np.ndarray,
    spacing: Sequence[float],
    labels: Mapping[LabelKey, str],
    ignore_label: int | None,
) -> Iterator[tuple[str, Masks, Sequence[float]]]:
    """The same, each pair cut down to the box around both masks, of no voxels where both are empty.

    The boxes of all labels are found in one pass over each map, so that whole volumes are gone through twice and not
    several times per label. They have no margin: metrics of boundaries close a mask at the border of its array.
    """
    axes = axes_of(reference)
    boxes = [_boxes(label_map, labels) for label_map in (reference, prediction)]
    for key, name in labels.items():
        box = _around([found[value] for found in boxes for value in _values(key) if value in found], reference.ndim)
        one, other = _tight(_masks((reference[box], prediction[box]), key, ignore_label))
        yield name, (one.reshape(one.shape[-axes:]), other.reshape(other.shape[-axes:])), spacing[-axes:]


def axes_of(label_map: np.ndarray) -> int:
    """2 for an image of one slice, else 3."""
    return 2 if label_map.shape[0] == 1 else 3


def _masks(maps: Masks, key: LabelKey, ignore_label: int | None) -> Masks:
    """Of a label or region; where the reference has the ignore label, both are background."""
    one, other = (region_or_label_to_mask(label_map, key) for label_map in maps)
    if ignore_label is None:
        return one, other
    scored = maps[0] != ignore_label
    return one & scored, other & scored


def _values(key: LabelKey) -> tuple[int, ...]:
    return key if isinstance(key, tuple) else (key,)


def _boxes(label_map: np.ndarray, labels: Mapping[LabelKey, str]) -> dict[int, Box]:
    """Label value -> the box around its voxels, of those that are there."""
    wanted = sorted({value for key in labels for value in _values(key)})
    outer = _foreground(label_map)
    with np.errstate(invalid="ignore"):  # what is no number is no label, either
        inner = label_map[outer].astype(np.int32)
    found = ndimage.find_objects(inner, wanted[-1]) if wanted else []
    inside = {value: found[value - 1] for value in wanted if value > 0 and found[value - 1] is not None}
    return {
        value: tuple(slice(o.start + i.start, o.start + i.stop) for o, i in zip(outer, box, strict=True))
        for value, box in inside.items()
    }


def _foreground(label_map: np.ndarray) -> Box:
    """The box around all that is not 0, of which a look along the axes tells sooner than one at every label."""
    there = label_map != 0
    box = []
    for axis in range(there.ndim):
        others = tuple(other for other in range(there.ndim) if other != axis)
        places = np.flatnonzero(there.any(axis=others))
        there = there[(slice(None),) * axis + (slice(places[0], places[-1] + 1),)] if len(places) else there
        box.append(slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0))
    return tuple(box)


def _around(boxes: Sequence[Box], axes: int) -> Box:
    """The box around boxes; one of no voxels for none."""
    if not boxes:
        return (slice(0, 0),) * axes
    return tuple(
        slice(min(box[axis].start for box in boxes), max(box[axis].stop for box in boxes)) for axis in range(axes)
    )


def _tight(masks: Masks) -> Masks:
    """Cut down to the box around both, which is smaller where voxels are ignored."""
    found = ndimage.find_objects((masks[0] | masks[1]).astype(np.uint8), 1)[0]  # it rejects bool
    box = found or (slice(0, 0),) * masks[0].ndim
    return masks[0][box], masks[1][box]
