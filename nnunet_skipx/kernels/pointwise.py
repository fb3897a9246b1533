"""1x1 convolutions as matrix products, with the instance norm behind them folded into the matrix."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.instancenorm import _InstanceNorm

from nnunet_skipx.kernels.convolution import convolution
from nnunet_skipx.kernels.precision import without_autocast
from nnunet_skipx.kernels.voxel_sums import minus, sum_over_voxels


def conv1x1(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """A convolution with kernel 1 of `(B, C_in, *spatial)` by a matrix `(C_out, C_in)`, in 2D or 3D."""
    return convolution(x, weight.view(*weight.shape, *[1] * (x.ndim - 2)), bias)


def conv1x1_norm_nonlin(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    norm: nn.Module,
    nonlin: nn.Module,
    keep: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """`nonlin(norm(conv1x1(x)))`, `(B, C_out, *spatial)`, at those voxels that `keep` selects from a map.

    With instance norm the statistics of the output follow from those of the input, so the convolution only runs where
    its output is kept, and its output is never stored next to its normalised copy: see `FoldedInstanceNorm`.
    """
    if not (isinstance(norm, _InstanceNorm) and norm.affine and not norm.track_running_stats):
        y = norm(conv1x1(x, weight, bias))
        return nonlin(y if keep is None else keep(y))
    kept = x if keep is None else keep(x)
    few = None if kept is x else kept.flatten(2)
    y = FoldedInstanceNorm.apply(x.flatten(2), few, weight, bias, norm.weight, norm.bias, norm.eps)
    return nonlin(y).unflatten(2, kept.shape[2:])


class FoldedInstanceNorm(torch.autograd.Function):
    """Instance norm of `W x + b`, `(B, C_out, Q)`, with the statistics taken over x, `(B, C_in, P)`.

    Mean and variance of a linear map's output are `W mean + b` and `diag(W C W^T)`, C the covariance of its input. So
    the norm is one affine map per sample, `gamma r W (x - mean) + beta` with r = 1 / sqrt(variance + eps), known before
    the large product; b cancels. The product runs over `kept`, `(B, C_in, Q)`, some of the voxels of x, or over x
    itself if that is None. Beta is the last column of the matrix, times a channel of ones, which saves a pass over the
    output in each direction. Statistics and small matrices are in float32 or float64.
    """

    @staticmethod
    @without_autocast
    def forward(
        ctx: Any,
        x: torch.Tensor,
        kept: torch.Tensor | None,
        weight: torch.Tensor,
        bias: torch.Tensor,
        gamma: torch.Tensor,
        beta: torch.Tensor,
        eps: float,
    ) -> torch.Tensor:
        w = weight.to(gamma.dtype)
        mean = x.mean(2, keepdim=True, dtype=gamma.dtype)
        centred = with_ones(minus(x, mean))
        covariance = sum_over_voxels(centred[:, :-1], centred[:, :-1]) / x.shape[2]
        r = torch.rsqrt(((w @ covariance) * w).sum(2, keepdim=True).clamp_min(0) + eps)
        # Joined as rows, of C_out numbers: GPUs are slow to read rows of an odd length, such as C_in + 1.
        matrix = torch.cat([(gamma[:, None] * r * w).mT, beta.expand(len(x), 1, -1)], 1).mT
        seen = centred if kept is None else with_ones(minus(kept, mean))
        ctx.over_all = kept is None
        ctx.save_for_backward(centred, seen, weight, bias, gamma, covariance, r)
        return torch.bmm(matrix.to(x.dtype), seen)

    @staticmethod
    @once_differentiable
    @without_autocast
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        centred, seen, weight, bias, gamma, covariance, r = ctx.saved_tensors
        w = weight.to(gamma.dtype)
        matrix = gamma[:, None] * r * w
        # This way round, because GPUs are slow to write rows of an odd length, such as that of `seen`.
        grad_matrix, grad_beta = sum_over_voxels(seen, grad).mT.tensor_split([w.shape[1]], 2)
        grad_scale = (grad_matrix * w).sum(2, keepdim=True)
        grad_variance = -0.5 * grad_scale * gamma[:, None] * r**3
        grad_weight = (grad_matrix * gamma[:, None] * r + 2 * grad_variance * (w @ covariance)).sum(0)
        # Through covariance and mean, a voxel's gradient is affine in the voxel itself.
        slope = 2 * (w.mT @ (grad_variance * w)) / centred.shape[2]
        offset = -(matrix.mT @ grad_beta) / centred.shape[2]
        affine = torch.cat([slope, offset.mT], 1).mT  # the slope is symmetric
        grad_x = torch.bmm(affine.to(centred.dtype), centred)
        direct = matrix.to(grad.dtype).mT
        if ctx.over_all:
            grad_x, grad_kept = torch.baddbmm(grad_x, direct, grad), None
        else:
            grad_kept = torch.bmm(direct, grad)
        grad_gamma = (grad_scale * r).sum((0, 2))
        grad_weight = grad_weight.to(weight.dtype)
        return grad_x, grad_kept, grad_weight, torch.zeros_like(bias), grad_gamma, grad_beta.sum((0, 2)), None


def with_ones(x: torch.Tensor) -> torch.Tensor:
    """`(B, C, P)` with one more channel of ones behind the others."""
    return torch.cat([x, x.new_ones(len(x), 1, x.shape[2])], 1)


def spatial_mean(x: torch.Tensor) -> torch.Tensor:
    """Mean over all positions of `(B, C, *spatial)` in at least float32, `(B, C)`."""
    return x.flatten(2).mean(2, dtype=torch.promote_types(x.dtype, torch.float32))
