"""The full-scale skips of UNet 3+ (Huang et al., ICASSP 2020, arXiv 2004.08790)."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from nnunet_skipx.kernels.linear_conv import conv_over_linear
from nnunet_skipx.skips.blocks import BlockOps


class FullScale(nn.Module):
    """What a decoder stage sees of all scales, `[C(D(finer encoder maps)), C(own), C(U(coarser decoder maps))]`.

    D is max pooling without overlap, U linear enlargement, C a convolution to the same number of channels for every
    source. C has no bias: what it adds everywhere, the norm behind the next convolution takes away.

    Args:
        ops: the op types of the plans.
        encoder: channels of the encoder's maps that are seen, finest first, the stage's own last.
        decoder: channels of the coarser decoder maps that are seen, the next one first.
        width: channels that each source is brought to.
        kernel: of C.
    """

    def __init__(
        self, ops: BlockOps, encoder: Sequence[int], decoder: Sequence[int], width: int, kernel: Sequence[int]
    ) -> None:
        super().__init__()

        def convolutions(channels: Sequence[int]) -> nn.ModuleList:
            padding = [k // 2 for k in kernel]
            return nn.ModuleList(ops.conv_op(c, width, tuple(kernel), padding=padding, bias=False) for c in channels)

        self.of_encoder, self.of_decoder = convolutions(encoder), convolutions(decoder)
        self.width = width

    def forward(self, encoder: Sequence[torch.Tensor], decoder: Sequence[torch.Tensor]) -> torch.Tensor:
        """`(B, sources * width, *spatial)`.

        Args:
            encoder: the encoder's maps at the stage's size, `(B, C, *spatial)`, see `pooled_for_each_stage`.
            decoder: the coarser decoder maps, `(B, C, *smaller)`, as they are.
        """
        size = encoder[-1].shape[2:]
        parts = [conv(x) for conv, x in zip(self.of_encoder, encoder, strict=True)]
        coarser: list[Any] = list(self.of_decoder)
        parts += [conv_over_linear(x, conv.weight, size) for conv, x in zip(coarser, decoder, strict=True)]
        return torch.cat(parts, 1)

    @property
    def channels(self) -> int:
        """Of what it returns."""
        return self.width * (len(self.of_encoder) + len(self.of_decoder))

    def compute_conv_feature_map_size(self, size: Sequence[int]) -> int:
        """Elements that the sources' convolutions put out for one sample, given the stage's size in voxels."""
        return self.channels * prod(size)


def pooled_for_each_stage(maps: Sequence[torch.Tensor], strides: Sequence[Sequence[int]]) -> list[list[torch.Tensor]]:
    """For every stage the maps up to its own, those of finer stages max-pooled to its size.

    Each is pooled from the one for the stage before, which is the same: windows without overlap lie in each other.

    Args:
        maps: the encoder's, `(B, C, *spatial)`, stage 0 first.
        strides: that lead into each stage; they divide the maps' sizes.
    """
    stages: list[list[torch.Tensor]] = []
    for own, stride in zip(maps, strides, strict=True):
        finer = stages[-1] if stages else []
        stages.append([*(max_pool(x, stride) for x in finer), own])
    return stages


def max_pool(x: torch.Tensor, stride: Sequence[int]) -> torch.Tensor:
    """Maxima of `(B, C, *spatial)` over windows of `stride` voxels without overlap."""
    if set(stride) == {1}:
        return x
    return {4: F.max_pool2d, 5: F.max_pool3d}[x.ndim](x, tuple(stride))
