"""The cross-over skips of XUNet: every decoder stage sees every encoder stage."""

from collections.abc import Sequence
from math import prod

import torch
from torch import nn

from nnunet_skipx.kernels.nearest_conv import (
    conv_over_enlarged,
    conv_same,
    is_split,
    nearest_resize,
    route,
    whole_factors,
)
from nnunet_skipx.kernels.pointwise import spatial_mean
from nnunet_skipx.skips.channel_gate import ChannelGate


class CrossOver(nn.Module):
    """What a decoder stage's first convolution makes of the other encoder stages (XUNet, `z = [u, N(x0), ..., N(xL)]`).

    A convolution over a concatenation is the sum of one per part. The enlarged map of the stage below and the own skip
    stay with the stage's stock convolution; this module holds the kernels of all other encoder maps and applies each
    at the smaller of the two sizes, so the concatenation never exists at a size that a map was enlarged to.

    The kernels start as nnU-Net starts a convolution whose input is the whole concatenation, and have no bias: the
    stock convolution has one. The attention starts at torch's defaults, as in the source.

    Args:
        channels: channels of the encoder's maps, stage 0 first, bottleneck included.
        stage: the decoder stage's own stage.
        channels_below: channels of the enlarged map of the stage below, u.
        channels_out: channels that the stage's first convolution puts out.
        kernel: its kernel.
        attention: weigh the channels of the whole concatenation first.
        reduction: channels of the concatenation per hidden channel of the attention.
    """

    def __init__(
        self,
        channels: Sequence[int],
        stage: int,
        channels_below: int,
        channels_out: int,
        kernel: Sequence[int],
        attention: bool = False,
        reduction: int = 16,
    ) -> None:
        super().__init__()
        self.stage, self.channels = stage, list(channels)
        self.others = self.channels[:stage] + self.channels[stage + 1 :]
        self.weight = nn.Parameter(torch.empty(channels_out, sum(self.others), *kernel))
        everything = channels_below + sum(channels)
        gain = nn.init.calculate_gain("leaky_relu", 1e-2)
        nn.init.normal_(self.weight, std=gain / (everything * prod(kernel)) ** 0.5)
        self.attention = ChannelGate(everything, reduction) if attention else None

    def forward(self, u: torch.Tensor, maps: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """What the stock convolution is to see, `[u, own skip]`, and what is to be added to its output.

        Args:
            u: the enlarged map of the stage below, `(B, channels_below, *spatial)`.
            maps: the encoder's maps, `(B, C, *spatial)`, stage 0 first; they are resized to u's size.
        """
        size, stage = u.shape[2:], self.stage
        u, *maps = self.weighed([u, *self.at_size(maps, size)])
        weights = self.weight.split(self.others, 1)
        terms = []
        if stage > 0:  # small maps by now, as many voxels as u but fewer channels
            terms.append(conv_same(torch.cat(maps[:stage], 1), self.weight[:, : sum(self.channels[:stage])]))
        if stage + 1 < len(maps):
            terms.append(conv_over_enlarged(maps[stage + 1 :], weights[stage:], size))
        return torch.cat([u, maps[stage]], 1), sum(terms[1:], terms[0])

    def at_size(self, maps: Sequence[torch.Tensor], size: Sequence[int]) -> list[torch.Tensor]:
        """The maps at `size`, but deeper ones that are a whole factor smaller as they are."""
        return [
            x if n > self.stage and whole_factors(x.shape[2:], size) else nearest_resize(x, size)
            for n, x in enumerate(maps)
        ]

    def weighed(self, parts: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The parts of the concatenation in its order, each channel times its attention weight if there is one."""
        if self.attention is None:
            return list(parts)
        split = self.channel_weights(parts).split([x.shape[1] for x in parts], 1)
        return [
            x * weight.to(x.dtype).view(*weight.shape, *[1] * (x.ndim - 2))
            for x, weight in zip(parts, split, strict=True)
        ]

    def channel_weights(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        """The attention's weights `(B, C)` for the parts: a map enlarged by whole factors keeps its means."""
        assert self.attention is not None
        return self.attention(torch.cat([spatial_mean(x) for x in parts], 1))

    def compute_conv_feature_map_size(self, sizes: Sequence[Sequence[int]]) -> int:
        """Elements that the convolutions put out for one sample, given the sizes of the encoder's maps in voxels."""
        size, kernel, elements = sizes[self.stage], self.weight.shape[2:], 0
        if self.stage > 0:
            elements += prod(size)
        for small in sizes[self.stage + 1 :]:
            way, factors = route(small, kernel, size), whole_factors(small, size)
            split = is_split(kernel, factors or [1] * len(size))
            if way == "plain":
                elements += prod(size)
            elif way == "phase":
                elements += prod(2 * (n + 1) if two else n for n, two in zip(small, split, strict=True))
            else:
                elements += prod(3 * n if three else n for n, three in zip(small, split, strict=True))
        return len(self.weight) * int(elements)


def reduced_for_each_stage(maps: Sequence[torch.Tensor]) -> list[list[torch.Tensor]]:
    """For every stage all maps, finer ones reduced to its size by nearest neighbour.

    Each reduction is made from the one for the stage before, so that one gradient per map is spread out at its full
    size; exact where sizes divide, which a U-Net's do.
    """
    stages, current = [], list(maps)
    for stage, own in enumerate(maps):
        finer = [nearest_resize(x, own.shape[2:]) for x in current[:stage]]
        current = [*finer, *current[stage:]]
        stages.append(current)
    return stages
