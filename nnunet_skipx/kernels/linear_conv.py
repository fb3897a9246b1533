"""Convolutions over linearly enlarged maps, without the enlarged maps.

Neither enlargement nor convolution mixes axes: each tap of a kernel is a number per pair of channels, times a shift
along every axis. So every tap is multiplied with the small map by itself, and along one axis after the other a product
with one matrix enlarges, shifts and adds up the products of that axis' taps: `sum_j S_j U (w_j x)`, U the enlargement
and S_j the shift that brings in zeros at the border, is the convolution over `U x` exactly, for any two sizes.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nnunet_skipx.kernels.channels_last import channels_last
from nnunet_skipx.kernels.nearest_conv import conv_same
from nnunet_skipx.kernels.resize import linear_weights


def conv_over_linear(x: torch.Tensor, weight: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """`conv_same(resize_linear(x, size), weight)`, `(B, C_out, *size)`.

    Args:
        x: `(B, C_in, *spatial)`.
        weight: `(C_out, C_in, *kernel)`, an odd kernel.
        size: in voxels, as large as x or larger along every axis.
    """
    old, kernel, dim = x.shape[2:], weight.shape[2:], x.ndim - 2
    if tuple(size) == old:
        return conv_same(x, weight)
    taps = weight.permute(0, *range(dim + 1, 1, -1), 1)  # those of the first axis vary fastest
    y = conv_same(x, taps.reshape(-1, x.shape[1], *[1] * dim))
    axes = list(zip(old, kernel, size, strict=True))
    shifted = {axis: shifted_weights(*axis, y) for axis in dict.fromkeys(axes)}
    outer = len(y) * y.shape[1]
    for axis in axes:
        outer //= axis[1]
        # the new axis comes last, so that the next one is first
        y = Transposed.apply(y.reshape(outer, len(shifted[axis]), -1), shifted[axis])
    y = y.reshape(len(x), len(weight), *size)
    return y if x.is_contiguous() else channels_last(y)  # as a convolution: what is concatenated has one order


class Transposed(torch.autograd.Function):
    """`x.mT @ matrix`, `(B, Q, N)`, of x `(B, P, Q)` and a constant `(P, N)`.

    Torch's own backward makes the gradient of `x.mT`, which is to be copied for what follows.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(matrix)
        return torch.bmm(x.mT, matrix.expand(len(x), -1, -1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        (matrix,) = ctx.saved_tensors
        return torch.bmm(matrix.expand(len(grad), -1, -1), grad.mT), None


def shifted_weights(old: int, taps: int, new: int, like: torch.Tensor) -> torch.Tensor:
    """`(taps * old, new)`: what every tap of a kernel reads of an axis that is enlarged from `old` to `new` voxels."""
    reach = taps // 2
    padded = F.pad(linear_weights(old, new, like), (reach, reach))
    return padded.unfold(1, new, 1).movedim(1, 0).reshape(taps * old, new).to(like.dtype)
