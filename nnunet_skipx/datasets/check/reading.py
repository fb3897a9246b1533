"""One file as nnU-Net reads it, with its grid; a file that cannot be read is told in one sentence."""

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

from nnunet_skipx.datasets.check.records import Grid
from nnunet_skipx.datasets.nifti import LPS_TO_RAS, NUMBERS, read_volume

AXES = 3
KINDS = f"{NUMBERS}b"  # of numpy's types
PICTURE_SPACING = 999  # nnU-Net's readers give pictures a first axis with so many times the spacing of the others


@dataclass(frozen=True)
class Array:
    """A file in memory. voxels: (channel, z, y, x) as nnU-Net reads them. spacing: (z, y, x).

    not_finite: voxels that are NaN or infinite in the file, also where the reader has made 0 of them.
    """

    voxels: np.ndarray
    spacing: tuple[float, ...]
    grid: Grid
    not_finite: int


def read_array(path: Path, reader: type[Any], is_label: bool) -> Array:
    """Read one file with a reader of nnU-Net's; ValueError when it is cut or not of the reader's kind."""
    not_finite = 0
    if issubclass(reader, SimpleITKIO):  # which writes 0 for what is cut off and for NaN, and says nothing
        require_one_number(path)
        if path.name.endswith((".nii", ".nii.gz")):
            not_finite = count_not_finite(read_volume(path, fewest_axes=2).voxels)
    read: Callable[[Any], tuple[np.ndarray, dict[str, Any]]] = reader().read_seg if is_label else reader().read_images
    try:
        with redirect_stdout(io.StringIO()):  # some readers print for every file
            voxels, properties = read(str(path) if is_label else [str(path)])
    except Exception as error:  # readers of many formats raise anything
        reason = (str(error).strip().splitlines() or ["no reason given"])[-1]
        raise ValueError(f"{path} cannot be read ({type(error).__name__}: {reason}): restore it") from error
    spacing = tuple(float(value) for value in properties["spacing"])
    require_usable(path, voxels, spacing)
    grid = grid_of(voxels.shape[1:], spacing, properties)
    if grid.affine is not None and not np.isfinite(grid.affine).all():
        raise ValueError(f"{path} has a header with NaN or infinity, expected where its voxels lie: correct it")
    return Array(voxels, spacing, grid, not_finite or count_not_finite(voxels))


def require_one_number(path: Path) -> None:
    """ValueError for vectors, whose components SimpleITK makes an axis that nnU-Net takes for another."""
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return  # who reads it says what is wrong with it
    if reader.GetNumberOfComponents() > 1:
        raise ValueError(
            f"{path} is an image of vectors of {reader.GetNumberOfComponents()} numbers: write one file per channel"
        )


def require_usable(path: Path, voxels: np.ndarray, spacing: tuple[float, ...]) -> None:
    """ValueError for arrays that are not (channel, z, y, x) of numbers with a spacing each."""
    if voxels.ndim != AXES + 1 or not voxels.size or voxels.dtype.kind not in KINDS:
        text = f"{path} is read as {voxels.dtype} of the shape {voxels.shape}, expected numbers (channel, z, y, x)"
        raise ValueError(f"{text}: save every channel as a file of its own")
    if len(spacing) != AXES or not (np.isfinite(spacing).all() and min(spacing) > 0):
        raise ValueError(f"{path} has the spacing {spacing}, expected {AXES} lengths in mm: correct its header")


def count_not_finite(voxels: np.ndarray) -> int:
    """How many are NaN or infinite."""
    return int(voxels.size - np.count_nonzero(np.isfinite(voxels))) if voxels.dtype.kind == "f" else 0


def grid_of(shape: tuple[int, ...], spacing: tuple[float, ...], properties: dict[str, Any]) -> Grid:
    """From an array's shape and spacing (z, y, x) to the file's axes x, y(, z)."""
    is_picture = shape[0] == 1 and spacing[0] >= PICTURE_SPACING * max(spacing[1:])
    axes = slice(2) if is_picture else slice(3)
    return Grid(tuple(shape[::-1][axes]), spacing[::-1][axes], affine_of(properties))


def affine_of(properties: dict[str, Any]) -> np.ndarray | None:
    """Index (x, y, z) -> mm (RAS) from what nnU-Net's readers keep; None where they keep nothing."""
    if "nibabel_stuff" in properties:
        kept = properties["nibabel_stuff"]
        return np.asarray(kept.get("reoriented_affine", kept["original_affine"]))
    if "sitk_stuff" not in properties:
        return None
    kept = properties["sitk_stuff"]
    axes = len(kept["spacing"])
    used = min(axes, 3)  # a fourth axis holds channels
    affine = np.eye(4)
    direction = np.reshape(kept["direction"], (axes, axes))[:used, :used]
    affine[:used, :used] = direction * np.array(kept["spacing"][:used])
    affine[:used, 3] = kept["origin"][:used]
    return np.asarray(LPS_TO_RAS @ affine)
