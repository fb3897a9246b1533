"""The elastic deformation of the 3D U-Net (MICCAI 2016): random vectors on a coarse grid, B-splines through them."""

import functools
import math

import numpy as np
import torch
from scipy.interpolate import make_interp_spline

from nnunet_skipx.augmentation.rows import on_device

SPACING = 32  # voxels between the grid's points
DEVIATION = 4.0  # voxels, of the vectors' components
FEWEST = 4  # points that a cubic spline needs


@functools.cache
def spline_weights(length: int) -> torch.Tensor:
    """(length, points): what each point of the coarse grid contributes to each voxel of an axis."""
    points = max(FEWEST, math.ceil((length - 1) / SPACING) + 1)
    places = (np.arange(length) - (length - 1) / 2) / SPACING + (points - 1) / 2
    return torch.from_numpy(make_interp_spline(np.arange(points), np.eye(points), k=3)(places)).float()


def displacements(samples: int, size: tuple[int, ...], noise: torch.Generator) -> torch.Tensor:
    """(samples, *size, d): for every voxel of a patch how far away its content is taken from, in voxels."""
    weights = [on_device(spline_weights(length), noise.device) for length in size]
    points = (samples, len(size), *(weight.shape[1] for weight in weights))
    field = DEVIATION * torch.randn(points, generator=noise, device=noise.device)
    for weight in weights:  # each takes the first axis of the grid and appends one of voxels
        field = torch.tensordot(field, weight, dims=([2], [1]))
    return field.movedim(1, -1)
