"""TransUNet's preprocessed scans: npz slices and h5 volumes, stacked to NIfTI volumes of 1 mm."""

import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from nnunet_skipx.datasets.nifti import NUMBERS, require_numbers
from nnunet_skipx.datasets.recipe import Case, Written
from nnunet_skipx.datasets.volumes import compressed, label_counts, labels_text
from nnunet_skipx.system.files import write_bytes
from nnunet_skipx.system.memory import require_memory

UNREADABLE = (  # what numpy and h5py raise for a damaged file
    OSError,
    ValueError,  # a pickle, among others
    KeyError,
    EOFError,
    MemoryError,
    OverflowError,
    RuntimeError,
    TypeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
LABEL_IDS = range(9)
SLICE_SIZE = 2  # axes


def write_slices(case: Case, image_target: Path, label_target: Path) -> Written:
    """Write a case from its npz files, one slice (H, W) each; ValueError for what does not fit."""
    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for path in case.image:
        image, label = read_npz(path)
        if image.ndim != SLICE_SIZE or (images and image.shape != images[0].shape):
            raise ValueError(f"{path} has an image of {image.shape}, expected (H, W) as in {case.image[0].name}")
        images.append(image)
        labels.append(label)
    return write_stack(np.stack(images), np.stack(labels), case.image[0], image_target, label_target)


def write_stored(case: Case, image_target: Path, label_target: Path) -> Written:
    """Write a case from one h5 file with the datasets image and label (D, H, W); ValueError for what does not fit."""
    image, label = read_h5(case.image[0])
    if image.ndim != SLICE_SIZE + 1:
        raise ValueError(f"{case.image[0]} has an image of {image.shape}, expected (D, H, W): restore it")
    return write_stack(image, label, case.image[0], image_target, label_target)


def read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Image and label of one slice, checked."""
    try:
        with zipfile.ZipFile(path) as archive:  # np.load takes what is called so for whatever it is
            require_memory(path, sum(member.file_size for member in archive.infolist()))
        with np.load(path, allow_pickle=False) as content:
            image, label = content["image"], content["label"]
    except UNREADABLE as error:
        raise ValueError(f"{path} is no complete npz with image and label ({reason_of(error)}): restore it") from error
    return checked(image, label, path)


def reason_of(error: Exception) -> str:
    """What a library says, or else the kind of its error."""
    return str(error) or type(error).__name__


def read_h5(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Image and label of one volume, checked; only data in the file itself are read."""
    try:
        import h5py
    except ImportError as error:
        raise ValueError(f"{path} needs h5py: pip install h5py") from error
    try:
        with h5py.File(path, "r") as file:
            image, label = (own_dataset(file, name, path) for name in ("image", "label"))
            return checked(image, label, path)
    except UNREADABLE as error:
        if isinstance(error, ValueError) and str(path) in str(error):
            raise
        reason = reason_of(error)
        raise ValueError(f"{path} is no complete HDF5 file with image and label ({reason}): restore it") from error


def own_dataset(file: Any, name: str, path: Path) -> np.ndarray:
    """An array of an HDF5 file; ValueError where it would be read from another file."""
    import h5py

    link, dataset = file.get(name, getlink=True), None
    if isinstance(link, h5py.HardLink):
        dataset = file[name]
    if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
        raise ValueError(f"{path} has no dataset {name} of its own, expected image and label in the file: restore it")
    require_memory(path, dataset.nbytes)
    return np.asarray(dataset)


def checked(image: np.ndarray, label: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Image as 32 bit, label as 8 bit; ValueError unless both are on one grid, finite and with the ids 0 to 8."""
    if image.dtype.kind not in NUMBERS or label.dtype.kind not in NUMBERS:
        raise ValueError(f"{path} holds {image.dtype} and {label.dtype}, expected numbers: restore it")
    if image.shape != label.shape:
        raise ValueError(f"{path} has an image of {image.shape} and a label of {label.shape}, expected the same size")
    if not image.size:
        raise ValueError(f"{path} has an image of {image.shape}, expected one pixel or more: restore it")
    require_numbers(path, image)
    if unknown := set(np.unique(label).tolist()) - set(LABEL_IDS):
        raise ValueError(f"{path} contains {labels_text(unknown)}, expected 0 to 8: restore it")
    return image.astype(np.float32, copy=False), label.astype(np.uint8)


def write_stack(image: np.ndarray, label: np.ndarray, source: Path, image_target: Path, label_target: Path) -> Written:
    """Write arrays (D, H, W) as NIfTI volumes (x, y, z) = (W, H, D); a note where values do not lie in [0, 1]."""
    for voxels, target in ((image, image_target), (label, label_target)):
        write_bytes(target, compressed(nibabel.Nifti1Image(voxels.T, np.eye(4)).to_bytes()))
    low, high = float(image.min()), float(image.max())
    scaled = low >= 0 and high <= 1
    notes = () if scaled else (f"{source.name}: image values from {low:.3g} to {high:.3g}, expected [0, 1]",)
    return Written(label_counts(label), notes)
