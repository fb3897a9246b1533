"""Encoder and decoder of 3D U2-Net."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from nnunet_skipx.architectures.sizes import map_sizes
from nnunet_skipx.kernels.voxel_products import multiply_rows
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.full_unit import FullUnit
from nnunet_skipx.skips.residual_adapters import ParallelUnit, SeriesUnit
from nnunet_skipx.skips.separable import Separable, kaiming_normal, norm_and_activate

UNITS = {"separable": Separable, "full": FullUnit, "series": SeriesUnit, "parallel": ParallelUnit}
Convolutions = Literal["separable", "full", "series", "parallel"]


@dataclass
class Style:
    """What all units of a network are made of; kernel sizes and strides per stage and axis."""

    ops: BlockOps
    bias: bool
    convolutions: Convolutions
    strided: Literal["separable", "source"]
    residual: bool
    kernel_sizes: Sequence[Sequence[int]]
    strides: Sequence[Sequence[int]]

    def unit(self, channels_in: int, channels_out: int, stage: int) -> nn.Module:
        """A unit that keeps the size, with the kernel of a stage."""
        kernel = self.kernel_sizes[stage]
        return UNITS[self.convolutions](self.ops, channels_in, channels_out, kernel, [1] * len(kernel), self.bias)

    def down(self, channels_in: int, channels_out: int, stage: int) -> nn.Module:
        """A unit with the strides that lead into a stage."""
        kernel, stride = self.kernel_sizes[stage], self.strides[stage]
        if self.strided == "source":
            return FullUnit(self.ops, channels_in, channels_out, kernel, stride, self.bias, pad_behind=True)
        return UNITS[self.convolutions](self.ops, channels_in, channels_out, kernel, stride, self.bias)


class Stem(nn.Module):
    """A domain's own first layer: convolution, norm, activation; channels last behind it."""

    def __init__(self, style: Style, input_channels: int, channels: int) -> None:
        super().__init__()
        kernel, stride = tuple(style.kernel_sizes[0]), tuple(style.strides[0])
        padding = [k // 2 for k in kernel]
        self.conv = style.ops.conv_op(input_channels, channels, kernel, stride, padding, bias=style.bias)
        self.norm = style.ops.norm(channels)
        self.nonlin = style.ops.nonlin()
        self.apply(kaiming_normal)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """`(B, channels, *spatial)` of an image `(B, input_channels, *spatial)`."""
        return norm_and_activate(self.conv(image), self.norm, self.nonlin)


class ResidualBlock(nn.Module):
    """`act(x + Sep(act(Sep(x))))`; a twin's without the sum."""

    def __init__(self, style: Style, channels: int, stage: int) -> None:
        super().__init__()
        self.first = style.unit(channels, channels, stage)
        self.second = style.unit(channels, channels, stage)
        self.nonlin = style.ops.nonlin()
        self.residual = style.residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Same shape as x, `(B, channels, *spatial)`."""
        y = self.second(self.first(x, activated=True))
        if self.residual:
            y += x
        return self.nonlin(y)


class Encoder(nn.Module):
    """A stem; then per stage residual blocks, and between stages a strided unit."""

    def __init__(self, style: Style, input_channels: int, features: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        self.stem = Stem(style, input_channels, features[0])
        self.stages = nn.ModuleList(
            nn.ModuleList(ResidualBlock(style, channels, stage) for _ in range(blocks[stage]))
            for stage, channels in enumerate(features)
        )
        self.downs = nn.ModuleList(
            style.down(features[stage - 1], features[stage], stage) for stage in range(1, len(features))
        )
        self.output_channels = list(features)
        self.strides = [list(stride) for stride in style.strides]

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """The stages' maps, `(B, C, *spatial)`, full resolution first, of an image `(B, input_channels, *spatial)`."""
        x, maps = self.stem(image), []
        stages: Any = self.stages
        for stage, blocks in enumerate(stages):
            if stage > 0:
                x = self.downs[stage - 1](x, activated=True)
            for block in blocks:
                x = block(x)
            maps.append(x)
        return maps

    def map_sizes(self, input_size: Sequence[int]) -> list[list[int]]:
        """Spatial sizes of the stages' maps in voxels for an image of `input_size` voxels."""
        return map_sizes(input_size, self.strides)

    def kept_elements(self, sizes: Sequence[Sequence[int]]) -> int:
        """Elements that stem and units put out for one sample."""
        stages: Any = self.stages
        units = [1 + 2 * len(blocks) for blocks in stages]  # the stem or the strided unit, two per block
        return sum(n * c * math.prod(size) for n, c, size in zip(units, self.output_channels, sizes, strict=True))


class Decoder(nn.Module):
    """Per stage, coarse to fine: enlarge, unit, concatenate the skip, units; a 1x1 head for every stage."""

    def __init__(self, style: Style, num_classes: int, features: Sequence[int], convs: Sequence[int]) -> None:
        super().__init__()
        self.deep_supervision = False  # nnU-Net toggles it
        fine = list(range(len(features) - 2, -1, -1))
        self.ups = nn.ModuleList(style.unit(features[s + 1], features[s], s) for s in fine)
        self.stages = nn.ModuleList(
            nn.ModuleList(style.unit((1 + (n == 0)) * features[s], features[s], s) for n in range(count))
            for s, count in zip(fine, convs, strict=True)
        )
        self.seg_layers = nn.ModuleList(style.ops.conv1x1(features[s], num_classes) for s in fine)
        self.seg_layers.apply(kaiming_normal)
        self.strides = [list(stride) for stride in style.strides]

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor | list[torch.Tensor]:
        """Logits of the encoder's maps: a list, full resolution first, with deep supervision; else one tensor."""
        *skips, x = maps
        logits: list[torch.Tensor] = []
        stages: Any = self.stages
        for position, (up, stage, head) in enumerate(zip(self.ups, stages, self.seg_layers, strict=True)):
            x = up(x, factor=self.strides[-1 - position], activated=True)
            for n, unit in enumerate(stage):
                x = unit(x, skip=skips[-1 - position] if n == 0 else None, activated=True)
            if self.deep_supervision or position == len(self.ups) - 1:
                logits.append(head_of(x, head))
        return logits[::-1] if self.deep_supervision else logits[0]

    def kept_elements(self, sizes: Sequence[Sequence[int]]) -> int:
        """Elements that units and heads put out for one sample, given the sizes of the encoder's maps."""
        stages: Any = self.stages
        heads: Any = self.seg_layers
        total = 0
        for position, (stage, head) in enumerate(zip(stages, heads, strict=True)):
            kept = (1 + len(stage)) * head.in_channels
            if self.deep_supervision or position == len(self.stages) - 1:
                kept += head.out_channels
            total += kept * math.prod(sizes[-2 - position])
        return total


def head_of(x: torch.Tensor, head: Any) -> torch.Tensor:
    """A 1x1 convolution to few channels, as the product that a channels-last map allows."""
    return multiply_rows(head.weight.flatten(1), x.flatten(2).mT, head.bias).mT.unflatten(2, x.shape[2:])
