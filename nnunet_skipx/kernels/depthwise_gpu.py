"""Depthwise convolutions on a GPU: Triton kernels as operators of torch, which compiled graphs call as they are."""

import importlib
import importlib.util
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.library import custom_op

from nnunet_skipx.kernels.channels_last import channels_last, empty_channels_last

TRITON = importlib.util.find_spec("triton") is not None  # else torch's own convolutions do
DTYPES = (torch.float16, torch.bfloat16, torch.float32)  # the kernels sum in float32
BLOCK = 2048  # voxels times channels that a program holds
WIDEST = 64  # channels of a program
PARTS = 1024  # programs per row of taps and block of channels: enough for the largest GPU, few enough to be added up


def has_kernels(x: torch.Tensor) -> bool:
    """Whether a map lies on a GPU with kernels of ours for its type."""
    return x.device.type == "cuda" and x.dtype in DTYPES and TRITON


def kernels() -> Any:
    """The module of the kernels; Triton takes a second to import, and only a GPU needs it."""
    return importlib.import_module("nnunet_skipx.kernels.depthwise_triton")


@custom_op("nnunet_skipx::depthwise", mutates_args=())
def depthwise_op(x: torch.Tensor, weight: torch.Tensor, stride: Sequence[int]) -> torch.Tensor:
    """The convolution of `(B, C, *spatial)` with `(C, 1, *kernel)`, channels last."""
    y = empty_channels_last(x, output_size(x.shape, stride))
    block_w, block_c = blocks(y)
    lines = math.prod(y.shape) // y.shape[1] // y.shape[-1]
    grid = (lines * math.ceil(y.shape[-1] / block_w), math.ceil(y.shape[1] / block_c))
    kernels().convolve[grid](
        channels_last(x),
        weight.contiguous(),
        y,
        *sizes(x),
        *sizes(y),
        x.shape[1],
        *in_3d(stride),
        *in_3d(weight.shape[2:]),
        block_w,
        block_c,
    )
    return y


@depthwise_op.register_fake
def _(x: torch.Tensor, weight: torch.Tensor, stride: Sequence[int]) -> torch.Tensor:
    return empty_channels_last(x, output_size(x.shape, stride))


@custom_op("nnunet_skipx::depthwise_input_gradient", mutates_args=())
def input_gradient_op(
    grad: torch.Tensor, weight: torch.Tensor, stride: Sequence[int], size: Sequence[int]
) -> torch.Tensor:
    """Gradient of x, of that size, given that of the convolution."""
    grad_x = empty_channels_last(grad, size)
    block_w, block_c = blocks(grad_x)
    lines = math.prod(size) // size[1] // size[-1]
    grid = (lines * math.ceil(size[-1] / block_w), math.ceil(size[1] / block_c))
    kernels().convolve_back[grid](
        channels_last(grad),
        weight.contiguous(),
        grad_x,
        *sizes(grad_x),
        *sizes(grad),
        size[1],
        *in_3d(stride),
        *in_3d(weight.shape[2:]),
        block_w,
        block_c,
    )
    return grad_x


@input_gradient_op.register_fake
def _(grad: torch.Tensor, weight: torch.Tensor, stride: Sequence[int], size: Sequence[int]) -> torch.Tensor:
    return empty_channels_last(grad, size)


@custom_op("nnunet_skipx::depthwise_kernel_gradient", mutates_args=())
def kernel_gradient_op(
    grad: torch.Tensor, x: torch.Tensor, kernel: Sequence[int], stride: Sequence[int]
) -> torch.Tensor:
    """Gradient of the weight `(C, 1, *kernel)`, in float32."""
    channels, (kd, kh, kw) = x.shape[1], in_3d(kernel)
    lines = math.prod(grad.shape) // channels // grad.shape[-1]
    each = math.ceil(lines / PARTS)
    block_w, block_c = blocks(grad)
    taps = power_of_2(kw)
    sums = torch.empty(math.ceil(lines / each), kd * kh * kw, channels, device=x.device)
    kernels().correlate[(len(sums), kd * kh, math.ceil(channels / block_c))](
        channels_last(grad),
        channels_last(x),
        sums,
        *sizes(x),
        *sizes(grad),
        channels,
        *in_3d(stride),
        lines,
        each,
        kd,
        kh,
        kw,
        taps,
        max(1, block_w // taps),
        block_c,
    )
    return sums.sum(0).T.reshape(channels, 1, *kernel)


@kernel_gradient_op.register_fake
def _(grad: torch.Tensor, x: torch.Tensor, kernel: Sequence[int], stride: Sequence[int]) -> torch.Tensor:
    return torch.empty(x.shape[1], 1, *kernel, device=x.device)


def output_size(shape: Sequence[int], stride: Sequence[int]) -> list[int]:
    """`(B, C, *spatial)` of the convolution's output."""
    return [*shape[:2], *(-(-n // s) for n, s in zip(shape[2:], stride, strict=True))]


def sizes(x: torch.Tensor) -> list[int]:
    """Planes, lines and voxels of a map."""
    return in_3d(x.shape[2:])


def in_3d(numbers: Sequence[int]) -> list[int]:
    """A number per axis, of which 2D has one plane."""
    return [1] * (3 - len(numbers)) + list(numbers)


def blocks(x: torch.Tensor) -> tuple[int, int]:
    """Voxels of a line and channels that a program computes, powers of 2."""
    channels = min(power_of_2(x.shape[1]), WIDEST)
    return min(power_of_2(x.shape[-1]), BLOCK // channels), channels


def power_of_2(number: int) -> int:
    """The smallest that is not smaller."""
    return 1 << (number - 1).bit_length()
