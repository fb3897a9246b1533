"""Resizing of feature maps, linear along every spatial axis, without antialiasing."""
from collections.abc import Sequence

import torch
from torch.nn import functional as F

_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def resize_linear(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Resize `(B, C, *spatial)` to `(B, C, *size)`; align_corners=False, returned as it is when the size agrees."""
    if tuple(x.shape[2:]) == tuple(size):
        return x
    return F.interpolate(x, size=tuple(size), mode=_LINEAR[len(size)], align_corners=False)


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
