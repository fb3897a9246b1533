"""A full convolution with a norm per domain: the down step of 3D U2-Net as released, and the unit of its twin."""
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.separable import kaiming_normal, norm_and_activate
from nnunet_skipx.skips.separable_norm import join


class FullUnit(nn.Module):
    """`norm_t(conv(x))`, the convolution shared by all domains; called like `Separable` (3D U2-Net, "down step").

    Starts like `Separable`.

    Args:
        ops, channels_in, channels_out, kernel_sizes, strides, bias: see `Separable`; the domains' kernel sizes agree.
        pad_behind: on axes with a stride pad only behind, as the source does: output j is centred on input 2j + 1
            instead of 2j.
    """

    def __init__(
        self, ops: BlockOps, channels_in: int, channels_out: int, kernel_sizes: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]], bias: bool = True, pad_behind: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        kernel = tuple(kernel_sizes[0])
        if any(tuple(other) != kernel for other in kernel_sizes):
            raise ValueError(
                f"domains share a full convolution, but their kernel sizes differ: {[tuple(k) for k in kernel_sizes]}; "
                "use separable convolutions, which have a kernel per domain"
            )
        self.conv: Any = ops.conv_op(channels_in, channels_out, kernel, bias=bias)
        self.norms = nn.ModuleList(ops.norm(channels_out) for _ in strides)
        self.nonlin = ops.nonlin()
        self.strides = [tuple(stride) for stride in strides]
        self.margins = [margins(kernel, stride, pad_behind) for stride in self.strides]
        self.apply(kaiming_normal)

    def forward(
        self,
        x: torch.Tensor,
        domain: int = 0,
        skip: torch.Tensor | None = None,
        factor: Sequence[int] | None = None,
        activated: bool = False,
    ) -> torch.Tensor:
        """`(B, channels_out, *spatial)`; the arguments are those of `Separable.forward`."""
        if skip is not None or factor is not None:
            x = join(x, skip, None if factor is None else tuple(factor))
        convolution = (F.conv2d, F.conv3d)[x.ndim - 4]
        before, after = self.margins[domain]
        if before != after:
            pairs = [margin for pair in zip(before[::-1], after[::-1], strict=True) for margin in pair]
            x, before = F.pad(x, pairs), [0] * len(before)
        y = convolution(x, self.conv.weight, self.conv.bias, self.strides[domain], before)
        if activated:
            return norm_and_activate(y, self.norms[domain], self.nonlin)
        return self.norms[domain](y)


def margins(kernel: Sequence[int], stride: Sequence[int], pad_behind: bool) -> tuple[list[int], list[int]]:
    """Zeros before and after each axis."""
    after = [k // 2 for k in kernel]
    before = [0 if pad_behind and s > 1 else k for k, s in zip(after, stride, strict=True)]
    return before, after
