"""Depthwise convolutions in 2D and 3D that are fast on the CPU too, where the stock ones are slow in the backward.

`python -m benchmarks.depthwise` times the alternatives. What won: channels last, where oneDNN's forward kernels run at
the speed of memory; the input's gradient as one more forward convolution, with the mirrored kernel; and the kernel's
gradient plane by plane, because oneDNN has a fast backward for depthwise kernels in 2D only.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from nnunet_skipx.kernels.channels_last import channels_last, empty_channels_last
from nnunet_skipx.kernels.convolution import convolution
from nnunet_skipx.kernels.depthwise_gpu import depthwise_op, has_kernels, input_gradient_op, kernel_gradient_op
from nnunet_skipx.kernels.precision import in_autocast_precision


def depthwise(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: Sequence[int]) -> torch.Tensor:
    """Depthwise convolution of `(B, C, *spatial)`, padded so that stride 1 keeps the size; channels last.

    Args:
        x: the map.
        weight: one kernel per channel, `(C, 1, *kernel)`, every length odd.
        bias: `(C,)`.
        stride: per axis; an axis of n voxels becomes ceil(n / stride).
    """
    x = in_autocast_precision(x)
    y = Depthwise.apply(x, weight.to(x.dtype), tuple(stride))
    return y if bias is None else y + bias.to(x.dtype).view(-1, *[1] * (x.ndim - 2))


class Depthwise(torch.autograd.Function):
    """The convolution without its bias, with the fast gradients."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, stride: tuple[int, ...]) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return depthwise_forward(x, weight, stride)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        return *depthwise_backward(grad, x, weight, ctx.stride), None


def depthwise_forward(x: torch.Tensor, weight: torch.Tensor, stride: Sequence[int]) -> torch.Tensor:
    """The convolution itself, outside of autograd, channels last; `weight` has x's type."""
    if has_kernels(x):
        return depthwise_op(x, weight, stride)
    return channels_last(convolution(channels_last(x), weight, None, tuple(stride), padding(weight), len(weight)))


def depthwise_backward(
    grad: torch.Tensor,
    x: torch.Tensor,
    weight: torch.Tensor,
    stride: Sequence[int],
    factor: Sequence[int] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of x and weight, given that of the output; the one place where devices differ.

    With a factor, x was made by nearest enlargement, and the gradient is that of the map before it.
    """
    factor = factor or [1] * len(stride)
    if x.device.type == "cpu":
        return fast_backward(grad, x, weight, stride, factor)
    if has_kernels(x):
        grad_x = input_gradient_op(grad, weight, stride, x.shape)
        return boxes(grad_x, factor), kernel_gradient_op(grad, x, weight.shape[2:], stride)
    return stock_backward(grad, x, weight, stride, factor)


def stock_backward(
    grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, stride: Sequence[int], factor: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """`depthwise_backward` by torch's own kernels."""
    grad_x, grad_weight, _ = torch.ops.aten.convolution_backward(
        grad,
        x,
        weight,
        None,
        stride,
        padding(weight),
        [1] * len(stride),
        False,
        [0] * len(stride),
        len(weight),
        [True, True, False],
    )
    return boxes(grad_x, factor), grad_weight


def boxes(x: torch.Tensor, factor: Sequence[int]) -> torch.Tensor:
    """Sums of a map over boxes of that size: the gradient of nearest enlargement."""
    for axis, length in enumerate(factor, start=2):
        x = x.unflatten(axis, (-1, length)).sum(axis + 1) if length > 1 else x
    return x


def fast_backward(
    grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, stride: Sequence[int], factor: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """`depthwise_backward` from oneDNN's fast kernels."""
    # A strided convolution is the dense one, of whose output few voxels are kept; the others have gradient 0.
    dense = spread(channels_last(grad), stride, x.shape)
    return input_gradient(dense, weight, factor), kernel_gradient(dense, channels_last(x), weight)


def input_gradient(grad: torch.Tensor, weight: torch.Tensor, factor: Sequence[int]) -> torch.Tensor:
    """Gradient of the map that was enlarged by `factor` and convolved: one strided convolution of the output's.

    Without enlargement its kernel is the mirrored weight. With it a voxel collects the gradients of its copies, so the
    kernel is the mirrored weight summed over a box: one convolution with few outputs.
    """
    mirrored = weight.flip(tuple(range(2, weight.ndim)))
    box = weight.new_ones(1, 1, *factor)
    kernel = convolution(mirrored, box, padding=[f - 1 for f in factor])
    return convolution(grad, kernel, None, tuple(factor), padding(weight), len(weight))


def spread(grad: torch.Tensor, stride: Sequence[int], size: Sequence[int]) -> torch.Tensor:
    """A map of zeros with shape `size` and `grad` at every stride-th voxel."""
    if all(s == 1 for s in stride):
        return grad
    dense = strided = empty_channels_last(grad, size).zero_()
    for axis, s in enumerate(stride, start=2):
        strided = strided[(slice(None),) * axis + (slice(None, None, s),)]
    strided.copy_(grad)
    return dense


def kernel_gradient(grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Gradient of the weight of the dense convolution; in 3D the sum over pairs of planes, per tap along the depth."""
    if x.ndim == 4:
        return plane_kernel_gradient(grad, x, weight)
    taps, depth = weight.shape[2], x.shape[2]
    gradients = []
    for tap in range(taps):
        shift = tap - taps // 2  # output plane d sees input plane d + shift
        count = depth - abs(shift)
        if count <= 0:
            gradients.append(torch.zeros_like(weight[:, :, tap]))
            continue
        samples = [
            plane_kernel_gradient(
                g.narrow(1, max(0, -shift), count).transpose(0, 1),
                planes.narrow(1, max(0, shift), count).transpose(0, 1),
                weight[:, :, tap],
            )
            for g, planes in zip(grad, x, strict=True)
        ]
        gradients.append(torch.stack(samples).sum(0))
    return torch.stack(gradients, 2)


def plane_kernel_gradient(grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Gradient of a depthwise 2D kernel `(C, 1, h, w)` from maps `(planes, C, H, W)`."""
    return torch.ops.aten.convolution_backward(
        grad,
        x,
        weight.contiguous(),
        None,
        [1, 1],
        padding(weight),
        [1, 1],
        False,
        [0, 0],
        len(weight),
        [False, True, False],
    )[1]


def padding(weight: torch.Tensor) -> list[int]:
    """Voxels per side that keep the size."""
    return [k // 2 for k in weight.shape[2:]]
