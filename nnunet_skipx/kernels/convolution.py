"""torch's convolutions under one name, whatever the number of axes."""

from collections.abc import Sequence

import torch
from torch.nn import functional as F


def convolution(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    groups: int = 1,
) -> torch.Tensor:
    """A convolution of `(B, C_in, *spatial)` with one, two or three axes; arguments as of torch's."""
    theirs = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}[x.ndim]
    return theirs(x, weight, bias, stride, padding, 1, groups)
