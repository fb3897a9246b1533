"""Patches to tokens: a convolution whose kernel is its stride, as one matrix product."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from nnunet_skipx.kernels.precision import in_autocast_precision
from nnunet_skipx.kernels.voxel_sums import sum_over_voxels

LARGEST_CONVOLVED = 4  # voxels per axis; up to here convolutions are the faster ones, on the CPU too


def embed_patches(x: torch.Tensor, conv: Any) -> torch.Tensor:
    """`conv(x)`, `(B, C_out, *grid)`, of x `(B, C, *spatial)`, for a convolution whose kernel is its stride.

    cuDNN has no good algorithm for kernels of 8 or 16 voxels per axis, so those are a product. What is left of an axis
    behind the last whole patch is cut off, as the convolution does.
    """
    if max(conv.kernel_size) <= LARGEST_CONVOLVED:
        return conv(x)
    # The patches are a copy of the map, which is cheap: the backward makes it again.
    return checkpoint(multiply_patches, x, conv.weight, conv.bias, use_reentrant=False, preserve_rng_state=False)


def multiply_patches(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """The convolution with weight `(C_out, C, *patch)` and bias `(C_out,)`."""
    patches = patches_as_rows(in_autocast_precision(x), weight.shape[2:])
    tokens = PatchProduct.apply(patches.flatten(0, -2), weight.flatten(1), bias)
    return tokens.view(*patches.shape[:-1], -1).movedim(-1, 1)


def patches_as_rows(x: torch.Tensor, patch: Sequence[int]) -> torch.Tensor:
    """`(B, *grid, C * voxels of a patch)`, in the order of a convolution's weight, of x `(B, C, *spatial)`."""
    for axis, voxels in enumerate(patch):
        position = 2 + 2 * axis  # the axes ahead are two each by now
        count = x.shape[position] // voxels
        if x.shape[position] > count * voxels:
            x = x.narrow(position, 0, count * voxels)
        x = x.unflatten(position, (count, voxels))
    grid, inside = range(2, x.ndim, 2), range(3, x.ndim, 2)
    return x.permute(0, *grid, 1, *inside).flatten(1 + len(patch))


class PatchProduct(torch.autograd.Function):
    """Tokens `(n, C_out)` of patches `(n, K)`, weight `(C_out, K)` and bias `(C_out,)`; K is large, hence in pieces."""

    @staticmethod
    def forward(ctx: Any, patches: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(patches, weight)
        ctx.has_bias = bias is not None
        tokens = sum_over_voxels(patches[None], weight.to(patches.dtype)[None])[0]
        return (tokens if bias is None else tokens + bias).to(patches.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        patches, weight = ctx.saved_tensors
        grad_weight = sum_over_voxels(grad.mT[None], patches.mT[None])[0]
        grad_bias = grad.sum(0, dtype=weight.dtype) if ctx.has_bias else None
        return grad @ weight.to(patches.dtype), grad_weight, grad_bias
