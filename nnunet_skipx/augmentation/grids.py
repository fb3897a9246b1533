"""Where the points of patches lie in the images that they are resampled from."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import torch

from nnunet_skipx.augmentation.rows import on_device

Parameters = dict[str, Any]


class Grids:
    """Grids for torch's `grid_sample`, of several samples; made piece by piece, because they are large.

    Args:
        drawn: what `SpatialTransform` drew for each sample.
        shape: of an image.
        size: of a patch.
        shifts: (n, *size, d), what else moves each point of a patch, in voxels.
    """

    def __init__(
        self,
        drawn: Sequence[Parameters],
        shape: tuple[int, ...],
        size: tuple[int, ...],
        device: torch.device,
        shifts: torch.Tensor | None = None,
    ) -> None:
        thetas = np.stack([theta_of(parameters, shape, size) for parameters in drawn], axis=1)
        self.by_axis = on_device(places_by_axis(thetas, size), device).split(size, dim=2)
        self.shifts = shifts
        if shifts is not None:
            turns = thetas[:, :, -2::-1] * (2 / np.array(size))
            self.turns = on_device(turns.swapaxes(0, 1).copy(), device)

    def piece(self, samples: slice, start: int, length: int) -> torch.Tensor:
        """(d, n, length, *size[1:]), coordinate by coordinate: a part of some samples' grids along the first axis."""
        first, *others = (places[:, samples] for places in self.by_axis)
        axes = [first.narrow(2, start, length), *others]
        grid: torch.Tensor = reduce(
            torch.add,
            [
                places.unflatten(2, [-1 if axis == own else 1 for axis in range(len(axes))])
                for own, places in enumerate(axes)
            ],
        )
        if self.shifts is not None:
            shifts = self.shifts[samples].narrow(1, start, length).flatten(1, -2).mT
            grid += (self.turns[samples] @ shifts).transpose(0, 1).reshape(grid.shape)
        return grid


def places_by_axis(thetas: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """(d, n, sum of size): what a point's place along each axis of the patch adds to its coordinates in the image.

    thetas: (d, n, d + 1), last axis first. The patch's middle counts with the first axis.
    """
    parts = []
    for axis, length in enumerate(size):
        places = (2 * np.arange(length) + 1) / length - 1
        parts.append(thetas[:, :, len(size) - 1 - axis, None] * places)
    parts[0] += thetas[:, :, -1:]
    return np.concatenate(parts, axis=2)


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
