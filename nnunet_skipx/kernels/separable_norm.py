"""The separable unit in one autograd function, which keeps nothing but its input and a few numbers per channel."""

from typing import Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nnunet_skipx.kernels.channels_last import (
    activate,
    activation_backward,
    channels_last,
    empty_channels_last,
    mean_and_scale,
    norm_backward_,
    pieces,
    rows,
)
from nnunet_skipx.kernels.depthwise import depthwise_backward, depthwise_forward
from nnunet_skipx.kernels.precision import without_autocast
from nnunet_skipx.kernels.voxel_sums import sum_over_voxels


class UnitOptions(NamedTuple):
    """What a unit needs besides tensors."""

    stride: tuple[int, ...]
    factor: tuple[int, ...] | None  # by which the input is enlarged per axis
    slope: float  # of the activations below zero
    activated: bool  # whether there is an activation behind the unit
    eps: float
    out_eps: float


class Layers(NamedTuple):
    """Parameters and statistics of the layers behind the depthwise convolution, in float32 or float64."""

    gamma: torch.Tensor  # (C,), as beta
    beta: torch.Tensor
    w: torch.Tensor  # (C_out, C)
    out_gamma: torch.Tensor  # (C_out,)
    mean: torch.Tensor  # (B, 1, C), of the depthwise convolution's output, as r = 1 / standard deviation
    r: torch.Tensor
    centre: torch.Tensor  # (B, 1, C), mean of z, the map ahead of the 1x1 convolution
    covariance: torch.Tensor  # (B, C, C), of z
    out_r: torch.Tensor  # (B, 1, C_out), 1 / standard deviation of the 1x1 convolution's output

    def scale_and_shift(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The first norm as an affine map."""
        scale = self.gamma * self.r
        return scale, self.beta - self.mean * scale


class SeparableNorm(torch.autograd.Function):
    """`IN(W act(IN(dw(input))) + b)`, `(B, C_out, *spatial)` in channels-last order (3D U2-Net, "separable unit").

    The input is x, enlarged by `options.factor` by nearest neighbours, or with `skip` behind it along the channels.
    Neither that input nor anything up to the 1x1 convolution is kept: the backward computes it again, from x, skip and
    the statistics. The norm behind the 1x1 convolution is folded into its matrix, as in `pointwise.FoldedInstanceNorm`.
    Convolution biases cancel in the norms; they are taken for their gradient of zero. Statistics and small matrices
    are in float32 or float64.
    """

    @staticmethod
    @without_autocast
    def forward(
        ctx: Any,
        x: torch.Tensor,
        skip: torch.Tensor | None,
        kernel: torch.Tensor,
        kernel_bias: torch.Tensor | None,
        gamma: torch.Tensor,
        beta: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        out_gamma: torch.Tensor,
        out_beta: torch.Tensor,
        options: UnitOptions,
    ) -> torch.Tensor:
        y = depthwise_forward(join(x, skip, options.factor), kernel.to(x.dtype), options.stride)
        mean, r = mean_and_scale(rows(y), options.eps)
        centre, covariance = activate_and_centre_(rows(y), gamma * r, beta - mean * gamma * r, options.slope)
        w = weight.detach().flatten(1).to(gamma.dtype)  # torch rounds products otherwise if w requires a gradient
        out_r = torch.rsqrt(((w @ covariance) * w).sum(2).clamp_min(0) + options.out_eps)[:, None]
        matrix = (w.mT * (out_gamma * out_r)).to(x.dtype)
        out = empty_channels_last(y, (len(y), len(weight), *y.shape[2:]))
        for z, result in pieces(rows(y), rows(out)):
            torch.baddbmm(out_beta.to(x.dtype), z, matrix, out=result)
            if options.activated:
                F.leaky_relu_(result, options.slope)
        ctx.options, ctx.has_biases = options, (kernel_bias is not None, bias is not None)
        kept = (x, skip, out if options.activated else None, kernel, weight)
        ctx.save_for_backward(*kept, *Layers(gamma, beta, w, out_gamma, mean, r, centre, covariance, out_r))
        return out

    @staticmethod
    @once_differentiable
    @without_autocast
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, skip, out, kernel, weight, *layers = ctx.saved_tensors
        options: UnitOptions = ctx.options
        joined = join(x, skip, options.factor)
        y = depthwise_forward(joined, kernel.to(x.dtype), options.stride)
        out = None if out is None else rows(out)
        grad_rows, grads = rows_backward(rows(channels_last(grad)), rows(y), out, Layers(*layers), options.slope)
        grad_y = grad_rows.mT.unflatten(2, y.shape[2:])
        del y, grad_rows
        grad_x, grad_kernel = depthwise_backward(grad_y, joined, kernel.to(x.dtype), options.stride, options.factor)
        grad_skip = None
        if skip is not None:
            grad_x, grad_skip = grad_x.split([x.shape[1], skip.shape[1]], 1)
        grad_kernel_bias = kernel.new_zeros(len(kernel)) if ctx.has_biases[0] else None
        grad_bias = weight.new_zeros(len(weight)) if ctx.has_biases[1] else None
        return (
            grad_x,
            grad_skip,
            grad_kernel.to(kernel.dtype),
            grad_kernel_bias,
            grads.gamma,
            grads.beta,
            grads.w.to(weight.dtype).view_as(weight),
            grad_bias,
            grads.out_gamma,
            grads.out_beta,
            None,
        )


def join(x: torch.Tensor, skip: torch.Tensor | None, factor: tuple[int, ...] | None) -> torch.Tensor:
    """x, enlarged by nearest neighbours, or with the skip behind it."""
    x = channels_last(x)
    if factor is not None:
        x = F.interpolate(x, size=[n * f for n, f in zip(x.shape[2:], factor, strict=True)], mode="nearest")
    return x if skip is None else torch.cat([x, channels_last(skip)], 1)


def activate_and_centre_(
    y: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, slope: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn rows y into z = act(scale * y + shift) minus its mean; return the mean and the covariance `(B, C, C)`."""
    total = torch.zeros_like(scale)
    for (part,) in pieces(y):
        total += activate(part, scale, shift, slope, out=part).sum(1, keepdim=True, dtype=scale.dtype)
    mean = total / y.shape[1]
    covariance = scale.new_zeros(len(y), y.shape[2], y.shape[2])
    for (part,) in pieces(y):
        values = part.sub_(mean).mT
        covariance += sum_over_voxels(values, values)
    return mean, covariance / y.shape[1]


class Gradients(NamedTuple):
    """Gradients of the parameters behind the depthwise convolution."""

    gamma: torch.Tensor
    beta: torch.Tensor
    w: torch.Tensor
    out_gamma: torch.Tensor
    out_beta: torch.Tensor


def rows_backward(
    grad: torch.Tensor, y: torch.Tensor, out: torch.Tensor | None, layers: Layers, slope: float
) -> tuple[torch.Tensor, Gradients]:
    """Gradients of y, the depthwise convolution's output as rows, and of the parameters behind it; spoils y."""
    voxels, dtype = y.shape[1], layers.w.dtype
    scale, shift = layers.scale_and_shift()
    maps = [grad, y] if out is None else [grad, y, out]
    grad_out_beta = torch.zeros_like(layers.out_r)
    grad_matrix = grad_out_beta.new_zeros(len(y), y.shape[2], grad.shape[2])
    for g, part, *activated in pieces(*maps):
        g = activation_backward(g, activated[0], slope) if activated else g
        grad_out_beta += g.sum(1, keepdim=True, dtype=dtype)
        grad_matrix += sum_over_voxels(activate(part, scale, shift, slope).mT, g.mT)
    to_z, grad_w, grad_out_gamma = pointwise_backward(grad_matrix, grad_out_beta, layers, voxels)
    linear, quadratic, offset = (matrix.to(y.dtype) for matrix in to_z)
    grad_y, grad_gamma, grad_beta = torch.empty_like(y), torch.zeros_like(scale), torch.zeros_like(scale)
    for result, g, part, *activated in pieces(grad_y, *maps):
        g = activation_backward(g, activated[0], slope) if activated else g
        z = activate(part, scale, shift, slope)
        torch.baddbmm(offset, g, linear, out=result).baddbmm_(z, quadratic)
        torch.ops.aten.leaky_relu_backward.grad_input(result, z, slope, True, grad_input=result)
        normalised = torch.addcmul(-layers.mean * layers.r, part, layers.r, out=part)
        grad_beta += result.sum(1, keepdim=True, dtype=dtype)
        grad_gamma += torch.mul(result, normalised, out=z).sum(1, keepdim=True, dtype=dtype)
    for result, normalised in pieces(grad_y, y):
        norm_backward_(result, normalised, grad_gamma / voxels, grad_beta / voxels, scale)
    grad_gamma, grad_beta, grad_out_beta = (g.sum((0, 1)) for g in (grad_gamma, grad_beta, grad_out_beta))
    return grad_y, Gradients(grad_gamma, grad_beta, grad_w, grad_out_gamma, grad_out_beta)


def pointwise_backward(
    grad_matrix: torch.Tensor, grad_beta: torch.Tensor, layers: Layers, voxels: int
) -> tuple[tuple[torch.Tensor, ...], torch.Tensor, torch.Tensor]:
    """How `IN(w z)` passes gradients back, from the sums over voxels of z grad, `(B, C, C_out)`, and of grad.

    Through mean and covariance of z, a voxel's gradient is affine in the voxel itself: see `FoldedInstanceNorm`.

    Returns:
        L, Q, o with `grad_z = grad L + z Q + o`; gradients of w and of gamma.
    """
    w, gamma, r = layers.w, layers.out_gamma, layers.out_r
    centred = grad_matrix - layers.centre.mT @ grad_beta
    grad_scale = (centred * w.mT).sum(1, keepdim=True)
    grad_variance = -0.5 * grad_scale * gamma * r**3
    grad_w = (centred * gamma * r).mT + 2 * grad_variance.mT * (w @ layers.covariance)
    linear = (w.mT * (gamma * r)).mT
    quadratic = 2 * (w.mT * grad_variance) @ w / voxels
    offset = -(grad_beta @ linear) / voxels - layers.centre @ quadratic
    return (linear, quadratic, offset), grad_w.sum(0), (grad_scale * r).sum((0, 1))
