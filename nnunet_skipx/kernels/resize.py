"""Resizing of feature maps, linear along every spatial axis, plain or antialiased."""

from collections.abc import Sequence

import torch
from torch.nn import functional as F

_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
LONGEST_MATRIX_AXIS = 128


def resize_linear(x: torch.Tensor, size: Sequence[int], antialias: bool = False) -> torch.Tensor:
    """Resize `(B, C, *spatial)` to `(B, C, *size)`; align_corners=False, returned as it is when the size agrees.

    Enlarging goes axis by axis through a matrix product: on the CPU that is several times faster than torch's kernels
    for three axes, whose backward on a GPU adds up in no fixed order. The work per voxel grows with the axis, so long
    axes, and reductions, which read few voxels, are left to torch. Antialiased resizing, which torch has in 2D only,
    always is a matrix product.
    """
    old = tuple(x.shape[2:])
    if old == tuple(size):
        return x
    if antialias or (max(old) <= LONGEST_MATRIX_AXIS and any(n < m for n, m in zip(old, size, strict=True))):
        for axis, length in enumerate(size, start=2):
            x = resize_axis(x, axis, length, antialias)
        return x
    return F.interpolate(x, size=tuple(size), mode=_LINEAR[len(size)], align_corners=False)


def resize_axis(x: torch.Tensor, axis: int, length: int, antialias: bool = False) -> torch.Tensor:
    """Resize one axis linearly, as a product with the `(old, new)` matrix of interpolation weights."""
    old = x.shape[axis]
    if old == length:
        return x
    weights = (antialiased_weights if antialias else linear_weights)(old, length, x).to(x.dtype)
    if axis == x.ndim - 1:
        return x @ weights
    behind = x.shape[axis + 1 :]
    return (weights.T @ x.flatten(axis + 1)).unflatten(axis + 1, behind)


def linear_weights(old: int, new: int, like: torch.Tensor) -> torch.Tensor:
    """Weights `(old, new)` of plain linear interpolation, in at least float32, on the device of `like`."""
    identity = torch.eye(old, device=like.device, dtype=torch.promote_types(like.dtype, torch.float32))
    return F.interpolate(identity[None], size=new, mode="linear", align_corners=False)[0]


def antialiased_weights(old: int, new: int, like: torch.Tensor) -> torch.Tensor:
    """Weights `(old, new)` of antialiased linear interpolation, in at least float32, on the device of `like`.

    A triangle around each new voxel's centre, as wide as the new voxels are apart, cut off at the borders and
    normalised; when enlarging it is as wide as the old voxels are apart, which is plain linear interpolation.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    ratio = old / new
    voxels = torch.arange(old, device=like.device, dtype=dtype)[:, None] + 0.5
    centres = (torch.arange(new, device=like.device, dtype=dtype) + 0.5) * ratio
    weights = (1 - (voxels - centres).abs() / max(ratio, 1.0)).clamp_min(0)
    return weights / weights.sum(0)


def narrow_to_support(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Keep of `(B, C, *spatial)` only the voxels that `resize_linear(x, size)` reads.

    Reducing an axis by a whole factor reads the one or two voxels in the middle of each group. So for any function f
    of single voxels, `resize_linear(f(narrow_to_support(x, size)), size)` equals `resize_linear(f(x), size)`, with f
    evaluated on few voxels. Axes that are not reduced by a whole factor stay as they are.
    """
    for axis, new in enumerate(size, start=2):
        factor = x.shape[axis] // new
        if factor > 2 and factor * new == x.shape[axis]:
            groups = x.unflatten(axis, (new, factor))
            x = groups.narrow(axis + 1, (factor - 1) // 2, 2 - factor % 2).flatten(axis, axis + 1)
    return x
