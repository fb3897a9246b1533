"""1x1 convolutions as matrix products, with the instance norm behind them folded into the matrix."""
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.modules.instancenorm import _InstanceNorm


def conv1x1(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """A convolution with kernel 1 of `(B, C_in, *spatial)` by a matrix `(C_out, C_in)`, in 2D or 3D."""
    convolution = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}[x.ndim]
    return convolution(x, weight.view(*weight.shape, *[1] * (x.ndim - 2)), bias)


def at_least_float32(x: torch.Tensor) -> torch.Tensor:
    """Half precision becomes float32; float32 and float64 stay."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


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
    y = FoldedInstanceNorm.apply(x.flatten(2), kept.flatten(2), weight, bias, norm.weight, norm.bias, norm.eps)
    return nonlin(y).unflatten(2, kept.shape[2:])


class FoldedInstanceNorm(torch.autograd.Function):
    """Instance norm of `W x + b`, `(B, C_out, Q)`, with the statistics taken over x, `(B, C_in, P)`.

    Mean and variance of a linear map's output are `W mean + b` and `diag(W C W^T)`, C the covariance of its input. So
    the norm is one affine map per sample, `M x + shift`, known before the large product: `M = gamma r W` and
    `shift = beta - M mean`, with r = 1 / sqrt(variance + eps). The bias b cancels. The product runs over `kept`,
    `(B, C_in, Q)`, which is x or some of its voxels. Statistics and small matrices are in float32 or float64.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        kept: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        gamma: torch.Tensor,
        beta: torch.Tensor,
        eps: float,
    ) -> torch.Tensor:
        with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False):
            w = weight.to(gamma.dtype)
            mean, covariance = moments(at_least_float32(x))
            r = torch.rsqrt(((w @ covariance) * w).sum(2, keepdim=True).clamp_min(0) + eps)
            matrix = gamma[:, None] * r * w
            shift = beta[:, None] - matrix @ mean
            ctx.save_for_backward(x, kept, weight, bias, gamma, mean, covariance, r)
            return torch.baddbmm(shift.to(kept.dtype), matrix.to(kept.dtype), kept)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, kept, weight, bias, gamma, mean, covariance, r = ctx.saved_tensors
        with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False):
            w = weight.to(gamma.dtype)
            matrix = gamma[:, None] * r * w
            grad_kept = torch.bmm(matrix.to(grad.dtype).mT, grad)
            grad_shift = at_least_float32(grad.sum(2, keepdim=True))
            grad_matrix = at_least_float32(torch.bmm(grad, kept.mT)) - grad_shift * mean.mT
            grad_scale = (grad_matrix * w).sum(2, keepdim=True)
            grad_variance = -0.5 * grad_scale * gamma[:, None] * r**3
            grad_weight = (grad_matrix * gamma[:, None] * r + 2 * grad_variance * (w @ covariance)).sum(0)
            # Through mean and covariance a voxel's gradient is affine in the voxel itself.
            slope = 2 * (w.mT @ (grad_variance * w)) / x.shape[2]
            offset = -(matrix.mT @ grad_shift) / x.shape[2] - slope @ mean
            grad_x = torch.baddbmm(offset.to(x.dtype), slope.to(x.dtype), x)
        grad_gamma, grad_beta = (grad_scale * r).sum((0, 2)), grad_shift.sum((0, 2))
        return grad_x, grad_kept, grad_weight.to(weight.dtype), torch.zeros_like(bias), grad_gamma, grad_beta, None


def moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean `(B, C, 1)` and biased covariance `(B, C, C)` of `(B, C, P)`."""
    mean = x.mean(2, keepdim=True)
    centred = x - mean
    return mean, torch.bmm(centred, centred.mT) / x.shape[2]
