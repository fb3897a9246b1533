"""Photographs and microscopy: RGB pictures and their masks, written as PNG, the format that nnU-Net reads."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from nnunet_skipx.datasets.recipe import Case, Written
from nnunet_skipx.datasets.volumes import label_counts
from nnunet_skipx.system.files import write_bytes

COMPRESSION = 3  # of PNG: a third of the time of the usual 6, a few per cent larger
FORMATS = ("BMP", "JPEG", "PNG", "TIFF")  # others, of which some start programs, are not even tried
EIGHT_BIT = ("RGB", "RGBA", "L", "LA", "P", "1")
UNREADABLE = (
    UnidentifiedImageError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
    OSError,
    SyntaxError,  # Pillow's word for a broken PNG
    ValueError,
    OverflowError,
    MemoryError,
    IndexError,
    KeyError,
    TypeError,
    struct.error,
    zlib.error,
)
Mask = Callable[[Path, tuple[int, int]], np.ndarray]  # (file, size (H, W)) -> ids (H, W)


def write_picture(case: Case, image_target: Path, label_target: Path, mask: Mask) -> Written:
    """Write a case's picture (H, W, 3) and what `mask` makes of its label file, pixel on pixel.

    Raises ValueError for files that cannot be read completely or have another size than the picture.
    """
    picture = read_picture(case.image[0])
    recoloured = () if picture.mode == "RGB" else (f"{case.image[0].name}: made RGB of {picture.mode}",)
    notes = (*recoloured, *pages_note(case.image[0]))
    pixels = np.asarray(picture.convert("RGB"))
    write_bytes(image_target, png(pixels))
    if not case.label:
        return Written({}, notes)
    labels = mask(case.label[0], pixels.shape[:2])
    if labels.shape != pixels.shape[:2]:
        raise ValueError(
            f"{case.label[0]} has {labels.shape[:2]} pixels (H, W), expected {pixels.shape[:2]} as in {case.image[0]}"
        )
    write_bytes(label_target, png(labels))
    return Written(label_counts(labels), notes)


def read_picture(path: Path) -> Image.Image:
    """A picture with 8 bits per channel, read whole and as stored (no turning by EXIF, which masks do not follow)."""
    picture: Image.Image
    try:
        with warnings.catch_warnings(), Image.open(path, formats=FORMATS) as picture:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture.load()
    except UNREADABLE as error:
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path} is not a complete picture ({reason}): restore it from the download") from error
    if picture.mode not in EIGHT_BIT:
        raise ValueError(f"{path} is a picture of the kind {picture.mode}, expected 8 bits per channel: restore it")
    return picture


def pages_note(path: Path) -> tuple[str, ...]:
    """A note where a readable file holds more pictures than the one that is taken."""
    with Image.open(path, formats=FORMATS) as picture:
        pages = getattr(picture, "n_frames", 1)
    return (f"{path.name}: the first of its {pages} pictures was taken",) if pages > 1 else ()


def any_value(path: Path, size: tuple[int, int]) -> np.ndarray:
    """1 wherever a mask holds anything but 0 in grey, colour or as an instance's number."""
    picture = read_picture(path)
    without_alpha = {"RGBA": "RGB", "LA": "L"}
    if picture.mode in without_alpha:
        picture = picture.convert(without_alpha[picture.mode])
    values = np.asarray(picture)
    return np.asarray((values.any(axis=-1) if values.ndim == 3 else values > 0), dtype=np.uint8)


def black_and_white(path: Path, size: tuple[int, int]) -> np.ndarray:
    """1 for white, 0 for black; ValueError for a mask with values between."""
    values = np.asarray(read_picture(path).convert("L"))
    found = np.unique(values)
    if len(between := found[(found != 0) & (found != found[-1])]) or found[-1] not in (0, 1, 255):
        wrong = int(between[0] if len(between) else found[-1])
        raise ValueError(f"{path} holds the value {wrong}, expected a mask of 0 and 255 only: restore it")
    return np.asarray(values > 0, dtype=np.uint8)


def png(pixels: np.ndarray) -> bytes:
    """A PNG file of 8 bit pixels (H, W) or (H, W, 3)."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", compress_level=COMPRESSION)
    return file.getvalue()
