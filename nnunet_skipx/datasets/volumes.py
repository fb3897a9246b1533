"""NIfTI volumes: read completely, checked, and written so that image and label share one grid."""

import gzip
from collections.abc import Collection, Mapping
from itertools import product
from pathlib import Path

import nibabel
import numpy as np

from nnunet_skipx.datasets.nifti import HEADER_BYTES, Volume, read_image, read_label
from nnunet_skipx.datasets.recipe import Case, Written
from nnunet_skipx.system.files import write_bytes

SAME_GRID_VOXELS = 0.5  # corners of one grid under two headers may lie so far apart, in voxels
ROUNDING_MM = 1e-3  # less is rounding of 32 bit headers, not worth a word
COMPRESSION = 1  # of gzip: 512 x 512 x 150 voxels in one second instead of five, a tenth larger


def write_volume(case: Case, image_target: Path, label_target: Path, label_ids: Mapping[int, int]) -> Written:
    """Write a case's image bit by bit, and its label as 8 bit numbers on the image's grid.

    label_ids: id in the source -> id in the data set, complete. Raises ValueError for what does not fit.
    """
    image = read_image(case.image[0])
    header, notes = checked_header(image)
    if header == image.header and image.path.name.endswith(".nii.gz"):
        write_bytes(image_target, image.path.read_bytes())
    else:
        write_bytes(image_target, compressed(with_header(image, header)))
    if not case.label:
        return Written({}, notes)
    label = read_label(case.label[0])
    notes += label_grid_notes(label, image)
    voxels = relabelled(label.voxels.reshape(three_axes(label)), label_ids, label.path)
    write_bytes(label_target, compressed(label_file(voxels, header)))
    return Written(label_counts(voxels), notes)


def checked_header(image: Volume) -> tuple[nibabel.Nifti1Header, tuple[str, ...]]:
    """The file's header, or a new one where it is ambiguous; ValueError unless it has 3 axes."""
    shape = three_axes(image)
    voxels = image.voxels
    difference = max(farthest_corner(form, image.affine, shape) for form in image.forms)
    if voxels.ndim == 3 and difference <= ROUNDING_MM:
        return image.header, ()
    header = image.header.copy()
    header.set_data_shape(shape)
    header.set_qform(image.affine, code=1)
    header.set_sform(image.affine, code=1)
    notes = []
    if voxels.ndim > 3:
        notes.append(f"{image.path.name}: axes of length 1 removed from {voxels.shape}")
    if difference > ROUNDING_MM:
        notes.append(
            f"{image.path.name}: its qform and sform lie {difference:.3g} mm apart; what SimpleITK, and so "
            "nnU-Net, reads was kept"
        )
    return header, tuple(notes)


def three_axes(volume: Volume) -> tuple[int, ...]:
    """Size (x, y, z) in voxels, without further axes of length 1; ValueError where there is a time or channel axis."""
    shape = volume.image.shape
    if len(shape) < 3 or any(size != 1 for size in shape[3:]):
        raise ValueError(f"{volume.path} has the shape {shape}, expected a single 3D volume (x, y, z): restore it")
    return shape[:3]


def label_grid_notes(label: Volume, image: Volume) -> tuple[str, ...]:
    """A note when the label's header differs from its image's; ValueError when the grids cannot be the same."""
    require_same_size(label, image)
    voxels_apart = grids_apart(label, image)
    if voxels_apart > SAME_GRID_VOXELS:
        raise ValueError(
            f"{label.path} does not lie on its image {image.path}: no qform or sform of the two agrees, the closest "
            f"corners are {voxels_apart:.3g} voxels apart (expected at most {SAME_GRID_VOXELS}): compare both in a "
            "viewer and correct the label's header in a copy"
        )
    difference = farthest_corner(label.affine, image.affine, three_axes(label))
    if difference <= ROUNDING_MM:
        return ()
    return (f"{label.path.name}: its grid lay {difference:.3g} mm off its image's, and got the image's geometry",)


def require_same_size(label: Volume, image: Volume) -> None:
    """ValueError unless a label has as many voxels along each axis as its image, channels aside."""
    size, expected = three_axes(label), image.image.shape[:3]
    if size != expected:
        raise ValueError(f"{label.path} has {size} voxels, expected {expected} as in {image.path}: restore both")


def grids_apart(label: Volume, image: Volume) -> float:
    """Distance in voxels between the corners of both grids, under those of their qforms and sforms that agree best."""
    pairs = product([label.affine, *label.forms], [image.affine, *image.forms])
    size = three_axes(label)
    return min(farthest_corner(np.linalg.inv(theirs) @ its, np.eye(4), size) for its, theirs in pairs)


def farthest_corner(first: np.ndarray, second: np.ndarray, size: tuple[int, ...]) -> float:
    """The largest distance between a corner of a grid of `size` voxels under one affine and under another."""
    corners = np.array([(*corner, 1) for corner in product(*((0, length - 1) for length in size))]).T
    return float(np.linalg.norm(((first - second) @ corners)[:3], axis=0).max())


def relabelled(voxels: np.ndarray, label_ids: Mapping[int, int], path: Path) -> np.ndarray:
    """The ids of the data set as 8 bit numbers; ValueError for values that are not among the source's ids.

    voxels: whole numbers.
    """
    if unknown := sorted(set(np.unique(voxels).tolist()) - set(label_ids)):
        raise ValueError(f"{path} contains {labels_text(unknown)}, expected only {sorted(label_ids)}: restore it")
    table = np.zeros(max(label_ids) + 1, dtype=np.uint8)
    for source, target in label_ids.items():
        table[source] = target
    return np.asarray(table[voxels.astype(np.intp, copy=False)] if voxels.dtype != np.uint8 else table[voxels])


def labels_text(values: Collection[float], at_most: int = 5) -> str:
    """The first of some label values, and how many more there are."""
    told = ", ".join(f"{value:.15g}" for value in sorted(values)[:at_most])
    more = f" and {len(values) - at_most} more" if len(values) > at_most else ""
    return f"the label(s) [{told}]{more}"


def label_counts(voxels: np.ndarray) -> dict[int, int]:
    """Voxels of each id that is there."""
    values, counts = np.unique(voxels, return_counts=True)
    return {int(value): int(count) for value, count in zip(values, counts, strict=True)}


def label_file(voxels: np.ndarray, grid: nibabel.Nifti1Header) -> bytes:
    """A NIfTI file of 8 bit labels with exactly the geometry of another header."""
    header = grid.copy()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(voxels.shape)
    header["cal_min"], header["cal_max"] = 0, 0
    return bytes(nibabel.Nifti1Image(voxels, None, header).to_bytes())


def with_header(volume: Volume, header: nibabel.Nifti1Header) -> bytes:
    """The file's content with another header: the voxels stay as they are, bit by bit."""
    return bytes(header.binaryblock) + volume.content[HEADER_BYTES:]


def compressed(content: bytes) -> bytes:
    """As in a .nii.gz file, the same bytes for the same content."""
    return gzip.compress(content, COMPRESSION, mtime=0)
