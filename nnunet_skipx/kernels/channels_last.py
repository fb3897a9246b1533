"""Maps with the channels next to each other in memory, and their instance norm with activation.

In this order a map is a matrix, `(B, voxels, C)`, called rows here: a 1x1 convolution is a plain product, and oneDNN's
depthwise kernels are fast. torch's own instance norm would bring such a map back to the other order first.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nnunet_skipx.kernels.voxel_sums import minus

CACHE_ELEMENTS = 2**19


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """`(B, C, *spatial)` with the channels next to each other in memory."""
    return x.contiguous(memory_format=memory_format(x))


def empty_channels_last(like: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """An uninitialised channels-last map of that shape, on the device of `like` and of its type."""
    return torch.empty(size, dtype=like.dtype, device=like.device, memory_format=memory_format(like))


def memory_format(x: torch.Tensor) -> torch.memory_format:
    """That of channels-last maps with as many axes as `x`."""
    return {4: torch.channels_last, 5: torch.channels_last_3d}[x.ndim]


def rows(x: torch.Tensor) -> torch.Tensor:
    """A view of a channels-last map `(B, C, *spatial)` as `(B, voxels, C)`."""
    return x.flatten(2).mT


def pieces(*maps: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
    """The same voxels of several rows, piece by piece; on the CPU a piece fits its cache.

    What is computed per piece needs no memory of the map's size, whose allocation costs more than the arithmetic.
    """
    first = maps[0]
    voxels = first.shape[1]
    if first.device.type == "cpu":
        voxels = min(voxels, max(1, CACHE_ELEMENTS // (len(first) * max(x.shape[2] for x in maps))))
    return list(zip(*(x.split(voxels, 1) for x in maps), strict=True))


def mean_and_scale(y: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and 1 / sqrt(variance + eps) of rows, `(B, 1, C)` each, in float32 or float64."""
    mean = y.mean(1, keepdim=True, dtype=torch.promote_types(y.dtype, torch.float32))
    squares = torch.zeros_like(mean)
    for (part,) in pieces(y):
        squares += squared_distances(part, mean)
    return mean, torch.rsqrt(squares / y.shape[1] + eps)


def squared_distances(y: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """Sums over the voxels of `(y - mean)^2`, `(B, 1, C)`, in the precision of the mean."""
    if y.dtype == mean.dtype or y.device.type == "cpu":
        return (y - mean).square_().sum(1, keepdim=True)
    # Only as a norm torch squares and sums half precision in float32 in one kernel, without a float32 map. The CPU's
    # kernel adds one number after the other, which loses 5e-4 of the sum over a million.
    return torch.linalg.vector_norm(minus(y, mean), dim=1, keepdim=True, dtype=mean.dtype).square()


def activate(
    y: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, slope: float, out: torch.Tensor | None = None
) -> torch.Tensor:
    """`act(scale * y + shift)` of rows, in `out` if given; the activation has that slope below zero."""
    out = torch.empty_like(y) if out is None else out
    return F.leaky_relu_(torch.addcmul(shift, y, scale, out=out), slope)


def activation_backward(grad: torch.Tensor, activated: torch.Tensor, slope: float) -> torch.Tensor:
    """Gradient of the activation's input, given its output."""
    return torch.ops.aten.leaky_relu_backward(grad, activated, slope, True)


def norm_backward_(
    grad: torch.Tensor, normalised: torch.Tensor, grad_gamma: torch.Tensor, grad_beta: torch.Tensor, scale: torch.Tensor
) -> None:
    """Turn the gradient of an instance norm's output into that of its input, in place, for some of the voxels.

    Args:
        grad, normalised: rows; `normalised` is ahead of gamma and beta, and is spoilt.
        grad_gamma, grad_beta: `(B, 1, C)`, divided by the number of voxels.
        scale: gamma / standard deviation, `(B, 1, C)`.
    """
    torch.addcmul(-grad_beta, normalised, -grad_gamma, out=normalised)
    grad.add_(normalised).mul_(scale)


class NormActivation(torch.autograd.Function):
    """Instance norm and leaky ReLU of a map, `(B, C, *spatial)`, channels last; keeps its input only."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor, eps: float, slope: float
    ) -> torch.Tensor:
        x = channels_last(x)
        mean, r = mean_and_scale(rows(x), eps)
        out = empty_channels_last(x, x.shape)
        activate(rows(x), gamma * r, beta - mean * gamma * r, slope, out=rows(out))
        ctx.save_for_backward(x, gamma, beta, mean, r)
        ctx.slope = slope
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, gamma, beta, mean, r = ctx.saved_tensors
        scale, shift = gamma * r, beta - mean * gamma * r
        out = empty_channels_last(x, x.shape)
        grad_gamma, grad_beta = torch.zeros_like(mean), torch.zeros_like(mean)
        for g, y, result in pieces(rows(channels_last(grad)), rows(x), rows(out)):
            result.copy_(activation_backward(g, activate(y, scale, shift, ctx.slope), ctx.slope))
            grad_beta += result.sum(1, keepdim=True, dtype=gamma.dtype)
            grad_gamma += (result * torch.addcmul(-mean * r, y, r)).sum(1, keepdim=True, dtype=gamma.dtype)
        voxels = grad[0, 0].numel()
        for y, result in pieces(rows(x), rows(out)):
            normalised = torch.addcmul(-mean * r, y, r, out=torch.empty_like(y))
            norm_backward_(result, normalised, grad_gamma / voxels, grad_beta / voxels, scale)
        return out, grad_gamma.sum((0, 1)), grad_beta.sum((0, 1)), None, None
