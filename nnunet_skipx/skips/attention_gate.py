"""The additive attention gate of Attention U-Net (Oktay et al., MIDL 2018, arXiv 1804.03999, equations 1 and 2)."""

from collections.abc import Sequence
from math import prod

import torch
from torch import nn

from nnunet_skipx.kernels.resize import resize_linear
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.per_image import PerImage

OPEN = 3.0  # the bias of a gate that passes 95 %: the paper starts gates so that they let everything pass


class AttentionGate(nn.Module):
    """A skip times one weight per voxel, seen by skip and coarser decoder map together.

    `q = psi relu(Wx x + Wg g + b) + b_psi` at the size of g, and `x * enlarged(sigmoid(q))`. Wx reads one voxel of x
    for each of g; all products are 1x1 convolutions, the enlargement is linear.

    Args:
        ops: the op types of the plans.
        channels: of the skip, x.
        channels_below: of the decoder map of the stage below, g; None for a gate that sees the skip alone.
        hidden: channels in which both are added.
        stride: voxels of x per voxel of g along every axis.
    """

    def __init__(
        self, ops: BlockOps, channels: int, channels_below: int | None, hidden: int, stride: Sequence[int]
    ) -> None:
        super().__init__()
        self.channels = channels
        self.of_skip = ops.conv_op(channels, hidden, kernel_size=1, stride=tuple(stride))
        self.of_below = None if channels_below is None else ops.conv_op(channels_below, hidden, 1, bias=False)
        self.psi = ops.conv1x1(hidden, 1)
        nn.init.constant_(self.psi.bias, OPEN)
        self.chosen = PerImage()

    def forward(self, x: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        """The skip, `(B, C, *spatial)`, behind its gate; g is `(B, C_below, *spatial / stride)`."""
        seen = self.of_skip(x)
        if self.of_below is not None:
            seen = seen + self.of_below(g)
        weights = self.chosen(torch.sigmoid(self.psi(torch.relu(seen))))
        return x * resize_linear(weights, x.shape[2:]).to(x.dtype)

    def compute_conv_feature_map_size(self, size: Sequence[int], size_below: Sequence[int]) -> int:
        """Elements of the convolutions' outputs and of the gated skip for one sample, given both sizes in voxels."""
        convolutions = 1 if self.of_below is None else 2
        at_below = convolutions * self.psi.in_channels + 1
        return at_below * prod(size_below) + self.channels * prod(size)
