"""Full convolutions with residual adapters, the alternatives that 3D U2-Net (MICCAI 2019) is compared with."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.full_unit import FullUnit


class SeriesUnit(FullUnit):
    """`norm(y + A norm_a(y))`, y = conv(x) (Rebuffi et al., NeurIPS 2017, residual adapters in series).

    The 1x1 convolution A and both norms are a domain's own; `conv` is shared. A starts at 0: without an adapter.
    """

    def __init__(
        self,
        ops: BlockOps,
        channels_in: int,
        channels_out: int,
        kernel_size: Sequence[int],
        stride: Sequence[int],
        bias: bool = True,
    ) -> None:
        super().__init__(ops, channels_in, channels_out, kernel_size, stride, bias)
        self.adapter_norm = ops.norm(channels_out)
        self.adapter = ops.conv_op(channels_out, channels_out, 1, bias=False)
        nn.init.zeros_(self.get_parameter("adapter.weight"))

    def convolve(self, x: torch.Tensor) -> torch.Tensor:
        """`(B, channels_out, *spatial)`, ahead of the unit's norm."""
        y = super().convolve(x)
        return y + self.adapter(self.adapter_norm(y))


class ParallelUnit(FullUnit):
    """`norm(conv(x) + A x)` (Rebuffi et al., CVPR 2018, residual adapters in parallel).

    The 1x1 convolution A, strided like `conv`, and the norm are a domain's own; `conv` is shared. A starts at 0. Both
    are one convolution: A is added to the middle of the kernel.
    """

    def __init__(
        self,
        ops: BlockOps,
        channels_in: int,
        channels_out: int,
        kernel_size: Sequence[int],
        stride: Sequence[int],
        bias: bool = True,
    ) -> None:
        super().__init__(ops, channels_in, channels_out, kernel_size, stride, bias)
        if any(k % 2 == 0 for k in kernel_size):
            raise ValueError(f"a parallel adapter needs odd kernel sizes, got {tuple(kernel_size)}: change the plans")
        self.adapter = ops.conv_op(channels_in, channels_out, 1, bias=False)
        nn.init.zeros_(self.get_parameter("adapter.weight"))

    def kernel(self) -> torch.Tensor:
        """`(channels_out, channels_in, *kernel_size)`, the adapter included."""
        weight = self.conv.weight
        margins = [k // 2 for k in reversed(weight.shape[2:]) for _ in range(2)]
        return weight + F.pad(self.get_parameter("adapter.weight"), margins)
