"""Where the points of patches lie in the images that they are resampled from."""
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import torch

from nnunet_skipx.augmentation.rows import on_device

Parameters = dict[str, Any]


class Grids:
    """Grids as torch's `grid_sample` wants them, of several samples; made piece by piece, because they are large.

    Args:
        drawn: what `SpatialTransform` drew for each sample.
        shape: of an image.
        size: of a patch.
        shifts: (samples, *size, d), what else moves each point of a patch, in voxels.
    """

    def __init__(
        self, drawn: Sequence[Parameters], shape: tuple[int, ...], size: tuple[int, ...], device: torch.device,
        shifts: torch.Tensor | None = None,
    ) -> None:  # fmt: skip
        thetas = np.stack([theta_of(parameters, shape, size) for parameters in drawn])
        self.by_axis = on_device(places_by_axis(thetas, size), device).split(size, dim=1)
        self.shifts = shifts
        if shifts is not None:  # torch measures in half sizes, last axis first
            turns = thetas[:, :, :-1].swapaxes(1, 2)[:, ::-1] * (2 / np.array(size))[:, None]
            self.turns = on_device(turns.copy(), device)

    def piece(self, samples: slice, start: int, length: int) -> torch.Tensor:
        """(samples, length, *size[1:], d): a part of some samples' grids along the first axis."""
        first, *others = (places[samples] for places in self.by_axis)
        axes = [first.narrow(1, start, length), *others]
        spread = [places.unflatten(1, [-1 if axis == own else 1 for axis in range(len(axes))])
                  for own, places in enumerate(axes)]  # fmt: skip
        grid = reduce(torch.add, spread)
        if self.shifts is not None:
            grid += (self.shifts[samples].narrow(1, start, length).flatten(1, -2) @ self.turns[samples]).view_as(grid)
        return grid


def places_by_axis(thetas: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """(n, sum of size, d): what a point's place along each axis adds to its place in the image.

    thetas: (n, d, d + 1), last axis first. The middle of the patch counts with the first axis.
    """
    parts = []
    for axis, length in enumerate(size):
        places = (2 * np.arange(length) + 1) / length - 1
        parts.append(places[:, None] * thetas[:, None, :, len(size) - 1 - axis])
    parts[0] += thetas[:, None, :, -1]
    return np.concatenate(parts, axis=1)


def theta_of(parameters: Parameters, shape: tuple[int, ...], size: tuple[int, ...]) -> np.ndarray:
    """The matrix (d, d + 1), as of `affine_grid`, of an affine in voxels around a centre (None: the identity).

    A point p of the patch (from its middle) lies at affine @ p + centre - shape / 2 from the image's middle; torch
    measures both in half sizes, last axis first.
    """
    half_image, half_patch = np.array(shape) / 2, np.array(size) / 2
    affine = np.eye(len(shape)) if parameters["affine"] is None else np.asarray(parameters["affine"])
    matrix = affine * half_patch / half_image[:, None]
    shift = (np.array(parameters["center_location_in_pixels"]) - half_image) / half_image
    return np.concatenate([matrix[::-1, ::-1], shift[::-1, None]], axis=1)
