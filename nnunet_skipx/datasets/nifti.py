"""NIfTI files: read whole and as nnU-Net reads them, or refused with the file's name and what is wrong with it."""

import gzip
import math
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import nibabel
import numpy as np
import SimpleITK

from nnunet_skipx.system.memory import require_memory

UNREADABLE = (
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    MemoryError,
    zlib.error,
    nibabel.filebasedimages.ImageFileError,
    nibabel.spatialimages.HeaderDataError,
    nibabel.wrapstruct.WrapStructError,
)
HEADER_BYTES = 348
IN_ONE_FILE = b"n+1"  # the header's word for voxels that follow it
MOST_AFTER = 1 << 20  # bytes after the voxels that are let pass
MOST_COMPRESSED = 1032  # times: more than gzip can
NUMBERS = "iuf"  # numpy's kinds that are one number to a voxel
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Volume:
    """A NIfTI file in memory. content: uncompressed. affine: voxel -> mm (RAS), as SimpleITK, so nnU-Net, reads it."""

    path: Path
    content: bytes
    image: nibabel.Nifti1Image
    affine: np.ndarray

    @property
    def voxels(self) -> np.ndarray:
        """Values (x, y, z[, channel]), scaled as the header says."""
        return np.asanyarray(self.image.dataobj)

    @property
    def forms(self) -> list[np.ndarray]:
        """The affines that the header gives: sform, qform, or what is left without both."""
        given = [self.header.get_sform(coded=True), self.header.get_qform(coded=True)]
        usable = [affine for affine, code in given if code and np.linalg.det(affine)]
        return usable or [self.header.get_base_affine()]

    @property
    def header(self) -> nibabel.Nifti1Header:
        """As in the file, unlike `image.header`, which has lost offset and scaling of the voxels."""
        return nibabel.Nifti1Header(self.content[:HEADER_BYTES], check=False)


def read_image(path: Path) -> Volume:
    """A volume of finite numbers, with channels perhaps; ValueError for any other file."""
    volume = read_volume(path)
    require_numbers(path, volume.voxels)
    return volume


def read_label(path: Path) -> Volume:
    """A volume of whole numbers; ValueError for any other file."""
    volume = read_image(path)
    values = np.unique(volume.voxels)
    if fractions := values[values != np.round(values)].tolist():
        raise ValueError(f"{path} has labels that are not whole numbers, such as {fractions[0]}: restore it")
    return volume


def require_numbers(path: Path, voxels: np.ndarray) -> None:
    """ValueError unless every voxel is a number, also in the 32 bits in which nnU-Net computes."""
    if voxels.dtype.kind not in NUMBERS:
        raise ValueError(f"{path} has voxels of type {voxels.dtype}, expected one number each: restore it")
    with np.errstate(over="ignore"):
        if voxels.dtype.kind == "f" and not np.isfinite(voxels.astype(np.float32, copy=False)).all():
            raise ValueError(f"{path} has voxels that are no numbers (NaN, infinity or beyond 32 bits): restore it")


def read_volume(path: Path, fewest_axes: int = 3) -> Volume:
    """Read a .nii.gz or .nii file whole; ValueError when it is cut, no NIfTI, or no file that nnU-Net can read.

    fewest_axes: 2 to take pictures, too.
    """
    try:
        content = whole_content(path)
        image = nibabel.Nifti1Image.from_bytes(content)
        # SimpleITK fills the missing part of a cut file with zeros and says nothing, nibabel raises.
        np.asanyarray(image.dataobj)
        volume = Volume(path, content, image, np.eye(4))
        is_placed = all(np.isfinite(form).all() for form in volume.forms)
    except UNREADABLE as error:
        if isinstance(error, ValueError) and str(path) in str(error):
            raise
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path} is not a complete NIfTI file ({reason}): restore it from the download") from error
    if not is_placed:
        raise ValueError(f"{path} has an sform or qform with NaN or infinity: correct its header")
    require_volume(path, image.shape, fewest_axes)
    return replace(volume, affine=affine_for_nnunet(path))


def require_volume(path: Path, shape: tuple[int, ...], fewest_axes: int) -> None:
    """ValueError for too few axes, empty ones, and vectors, which nnU-Net takes for slices."""
    if len(shape) < fewest_axes or 0 in shape:
        axes = ", ".join("xyz"[:fewest_axes])
        raise ValueError(f"{path} has the shape {shape}, expected ({axes}) of one voxel or more: restore it")
    if math.prod(shape[4:]) > 1:
        raise ValueError(f"{path} is a volume of vectors, of the shape {shape}: write one file per channel")


def whole_content(path: Path) -> bytes:
    """The file's bytes, uncompressed: as many as its header says and a few more.

    Raises ValueError where they are more, or more than this machine can hold; what gzip raises for a damaged file.
    """
    is_compressed, there = path.name.lower().endswith(".gz"), path.stat().st_size
    opened: BinaryIO
    with gzip.open(path, "rb") if is_compressed else path.open("rb") as opened:  # type: ignore[assignment]
        expected = expected_bytes(opened.read(HEADER_BYTES))
        if expected > there * (MOST_COMPRESSED if is_compressed else 1) + MOST_AFTER:
            raise ValueError(f"its header tells of {expected} bytes, more than {there} can hold")
        require_memory(path, expected)
        opened.seek(0)
        content = opened.read(expected + MOST_AFTER + 1)
    if len(content) > expected + MOST_AFTER:
        raise ValueError(f"it goes on after the {expected} bytes that its header tells of")
    return content


def expected_bytes(head: bytes) -> int:
    """Header, extensions and voxels, as a header tells; ValueError for one that is none."""
    header = nibabel.Nifti1Header(head, check=False)
    if not bytes(header["magic"].item()).startswith(IN_ONE_FILE):
        raise ValueError(f"magic string {header['magic'].item()!r} is not valid")
    if (code := int(header["datatype"])) not in nibabel.nifti1.data_type_codes.dtype:
        raise ValueError(f"data code {code} not recognized")
    sizes = [int(size) for size in header["dim"][1 : 1 + max(0, int(header["dim"][0]))]]
    itemsize: int = header.get_data_dtype().itemsize
    return int(header["vox_offset"]) + math.prod(sizes) * itemsize


def affine_for_nnunet(path: Path) -> np.ndarray:
    """The first three axes' affine voxel -> mm (RAS) as SimpleITK reads it; ValueError where it refuses the header."""
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]  # the one line that says something, of SimpleITK's several
        raise ValueError(f"{path} has a header that nnU-Net cannot read ({reason}): correct it") from error
    axes = reader.GetDimension()
    affine = np.eye(4)
    used = min(axes, 3)
    direction = np.reshape(reader.GetDirection(), (axes, axes))[:used, :used]
    affine[:used, :used] = direction * np.array(reader.GetSpacing()[:used])
    affine[:used, 3] = reader.GetOrigin()[:used]
    return np.asarray(LPS_TO_RAS @ affine)
