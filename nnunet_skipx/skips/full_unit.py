"""A full convolution and a norm: the down step of 3D U2-Net as released, and the unit of its twin."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from nnunet_skipx.kernels.convolution import convolution
from nnunet_skipx.kernels.separable_norm import join
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.separable import kaiming_normal, norm_and_activate


class FullUnit(nn.Module):
    """`norm(conv(x))`; the domains of a universal run share `conv` (3D U2-Net, "down step"). Called like `Separable`.

    Starts like `Separable`.

    Args:
        ops, channels_in, channels_out, kernel_size, stride, bias: see `Separable`.
        pad_behind: on axes with a stride pad only behind, as the source does: output j is centred on input 2j + 1
            instead of 2j.
    """

    shared = "conv"

    def __init__(
        self,
        ops: BlockOps,
        channels_in: int,
        channels_out: int,
        kernel_size: Sequence[int],
        stride: Sequence[int],
        bias: bool = True,
        pad_behind: bool = False,
    ) -> None:
        super().__init__()
        self.conv: Any = ops.conv_op(channels_in, channels_out, tuple(kernel_size), bias=bias)
        self.norm = ops.norm(channels_out)
        self.nonlin = ops.nonlin()
        self.margins = margins(kernel_size, stride, pad_behind)
        self.stride = tuple(stride)
        self.apply(kaiming_normal)

    def forward(
        self,
        x: torch.Tensor,
        skip: torch.Tensor | None = None,
        factor: Sequence[int] | None = None,
        activated: bool = False,
    ) -> torch.Tensor:
        """`(B, channels_out, *spatial)`; the arguments are those of `Separable.forward`."""
        if skip is not None or factor is not None:
            x = join(x, skip, None if factor is None else tuple(factor))
        y = self.convolve(x)
        return norm_and_activate(y, self.norm, self.nonlin) if activated else self.norm(y)

    def convolve(self, x: torch.Tensor) -> torch.Tensor:
        """The convolution alone, padded as stated. Stride is the unit's: domains may share `conv` at other strides."""
        before, after = self.margins
        if before != after:
            pairs = [margin for pair in zip(before[::-1], after[::-1], strict=True) for margin in pair]
            x, before = F.pad(x, pairs), [0] * len(before)
        return convolution(x, self.kernel(), self.conv.bias, self.stride, before)

    def kernel(self) -> torch.Tensor:
        """`(channels_out, channels_in, *kernel_size)`."""
        return self.conv.weight


def margins(kernel: Sequence[int], stride: Sequence[int], pad_behind: bool) -> tuple[list[int], list[int]]:
    """Zeros before and after each axis."""
    after = [k // 2 for k in kernel]
    before = [0 if pad_behind and s > 1 else k for k, s in zip(after, stride, strict=True)]
    return before, after
