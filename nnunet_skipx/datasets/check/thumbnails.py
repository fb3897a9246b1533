"""Thumbnails: one slice of a case as a small PNG file, with the labels' contours in colour."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

LONGER_SIDE = 160  # pixels
WINDOW = (1, 99)  # percentiles of the slice that become black and white
THICK_SLICES = 1.5  # from this ratio of spacings on, slices are cut as they were taken
COLOURS = (  # seen on grey, and the first also on skin and stained tissue
    "#00d5ff",
    "#ffd60a",
    "#34e05a",
    "#ff4fd8",
    "#ff9500",
    "#ff3b30",
    "#3d7bff",
    "#b6e300",
    "#a97bff",
    "#d98c5f",
    "#7fd1ff",
    "#ff9d9d",
    "#00a36c",
    "#e8c9ff",
)
IGNORE_COLOUR = "#9e9e9e"


def colour_of(position: int, name: str) -> str:
    """Of a label by its place in dataset.json."""
    return IGNORE_COLOUR if name == "ignore" else COLOURS[position % len(COLOURS)]


def slicing_axis(spacing: Sequence[float]) -> int:
    """The axis (of the array) to cut across: the first, or that of thick slices."""
    return int(np.argmax(spacing)) if max(spacing) > THICK_SLICES * min(spacing) else 0


def fullest_slice(foreground: np.ndarray, axis: int) -> int:
    """Where the mask (z, y, x) has most voxels across `axis`; the middle where it has none."""
    per_slice = np.count_nonzero(foreground, axis=tuple({0, 1, 2} - {axis}))
    return int(np.argmax(per_slice)) if per_slice.any() else len(per_slice) // 2


def thumbnail(
    planes: Sequence[np.ndarray],
    spacing: tuple[float, float],
    label: np.ndarray | None,
    drawn: Mapping[str, Sequence[int]],
) -> bytes:
    """A PNG file of at most 160 pixels a side.

    planes: one slice (H, W) for grey or three of 0 to 255 for RGB. spacing: of its rows and columns. label: (H, W).
    drawn: name of a label or region -> its ids.
    """
    pixels = np.stack([in_grey(planes[0])] * 3 if len(planes) < 3 else [clipped(plane) for plane in planes], axis=-1)
    size = thumbnail_size(planes[0].shape, spacing)
    picture = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)
    if label is not None:
        small = label[nearest(label.shape[0], size[1])][:, nearest(label.shape[1], size[0])]
        picture = Image.fromarray(with_contours(np.array(picture), small, drawn))
    file = io.BytesIO()
    picture.quantize(256).save(file, format="PNG", optimize=True)
    return file.getvalue()


def thumbnail_size(shape: tuple[int, ...], spacing: tuple[float, float]) -> tuple[int, int]:
    """Width and height in pixels that keep the proportions in mm."""
    height, width = shape[0] * spacing[0], shape[1] * spacing[1]
    scale = LONGER_SIDE / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def nearest(length: int, wanted: int) -> np.ndarray:
    """The indices that stretch or shrink an axis without mixing values."""
    return np.minimum((np.arange(wanted) + 0.5) * length / wanted, length - 1).astype(int)


def in_grey(plane: np.ndarray) -> np.ndarray:
    """Black to white between two percentiles, as 8 bits."""
    finite = plane[np.isfinite(plane)]
    low, high = np.percentile(finite, WINDOW) if finite.size else (0.0, 1.0)
    if low == high:
        low, high = (finite.min(), finite.max()) if finite.size else (low, high)
    return clipped((plane - low) * (255 / (high - low)) if high > low else np.full(plane.shape, 128.0))


def clipped(plane: np.ndarray) -> np.ndarray:
    """0 to 255 as 8 bits; black where there is no number."""
    numbers: np.ndarray = np.nan_to_num(plane, nan=0, posinf=255, neginf=0)
    return numbers.clip(0, 255).astype(np.uint8)


def with_contours(pixels: np.ndarray, label: np.ndarray, drawn: Mapping[str, Sequence[int]]) -> np.ndarray:
    """The picture (H, W, 3) with the border of each label or region in its colour; later ones lie on top."""
    for position, (name, ids) in enumerate(drawn.items()):
        colour = colour_of(position, name).removeprefix("#")
        pixels[border(np.isin(label, ids))] = tuple(bytes.fromhex(colour))
    return pixels


def border(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask (H, W) with a neighbour outside it; the picture's edge is none."""
    padded = np.pad(mask, 1, mode="edge")
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(mask & ~inside)
