"""Encoder and decoder of 3D U2-Net for one or more domains: what each has of its own lies in lists, one per domain."""
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional as F

from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.full_unit import FullUnit
from nnunet_skipx.skips.separable import Separable, kaiming_normal, norm_and_activate


@dataclass
class Domain:
    """What a data set's plan says about the network, per stage and axis where it is a list of lists."""

    input_channels: int
    num_classes: int
    kernel_sizes: Sequence[Sequence[int]]
    strides: Sequence[Sequence[int]]


@dataclass
class Style:
    """What all units of a network are made of."""

    ops: BlockOps
    bias: bool
    convolutions: Literal["separable", "full"]
    strided: Literal["separable", "source"]

    def unit(self, channels_in: int, channels_out: int, domains: Sequence[Domain], stage: int) -> nn.Module:
        """A unit that keeps the size, with the kernels of a stage."""
        kernels = [d.kernel_sizes[stage] for d in domains]
        unit = Separable if self.convolutions == "separable" else FullUnit
        return unit(self.ops, channels_in, channels_out, kernels, [[1] * len(k) for k in kernels], self.bias)

    def down(self, channels_in: int, channels_out: int, domains: Sequence[Domain], stage: int) -> nn.Module:
        """A unit with the strides that lead into a stage."""
        kernels, strides = [d.kernel_sizes[stage] for d in domains], [d.strides[stage] for d in domains]
        if self.strided == "source":
            return FullUnit(self.ops, channels_in, channels_out, kernels, strides, self.bias, pad_behind=True)
        unit = Separable if self.convolutions == "separable" else FullUnit
        return unit(self.ops, channels_in, channels_out, kernels, strides, self.bias)


class Stem(nn.Module):
    """A domain's own first layer: convolution, norm, activation; channels last behind it."""

    def __init__(self, style: Style, domain: Domain, channels: int) -> None:
        super().__init__()
        kernel, stride = tuple(domain.kernel_sizes[0]), tuple(domain.strides[0])
        padding = [k // 2 for k in kernel]
        self.conv = style.ops.conv_op(domain.input_channels, channels, kernel, stride, padding, bias=style.bias)
        self.norm = style.ops.norm(channels)
        self.nonlin = style.ops.nonlin()
        self.apply(kaiming_normal)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """`(B, channels, *spatial)` of an image `(B, input_channels, *spatial)`."""
        return norm_and_activate(self.conv(image), self.norm, self.nonlin)


class ResidualBlock(nn.Module):
    """`act(x + Sep(act(Sep(x))))`."""

    def __init__(self, style: Style, channels: int, domains: Sequence[Domain], stage: int) -> None:
        super().__init__()
        self.first = style.unit(channels, channels, domains, stage)
        self.second = style.unit(channels, channels, domains, stage)
        self.nonlin = style.ops.nonlin()

    def forward(self, x: torch.Tensor, domain: int) -> torch.Tensor:
        """Same shape as x, `(B, channels, *spatial)`."""
        y = self.second(self.first(x, domain, activated=True), domain)
        y += x
        return self.nonlin(y)


class Encoder(nn.Module):
    """Per domain a stem; then per stage residual blocks, and between stages a strided unit."""

    def __init__(
        self, style: Style, domains: Sequence[Domain], features: Sequence[int], blocks: Sequence[int]
    ) -> None:
        super().__init__()
        self.stems = nn.ModuleList(Stem(style, domain, features[0]) for domain in domains)
        self.stages = nn.ModuleList(
            nn.ModuleList(ResidualBlock(style, channels, domains, stage) for _ in range(blocks[stage]))
            for stage, channels in enumerate(features)
        )
        self.downs = nn.ModuleList(
            style.down(features[stage - 1], features[stage], domains, stage) for stage in range(1, len(features))
        )
        self.output_channels = list(features)
        self.domains = list(domains)

    def forward(self, image: torch.Tensor, domain: int = 0) -> list[torch.Tensor]:
        """The stages' maps, `(B, C, *spatial)`, full resolution first, of an image `(B, input_channels, *spatial)`."""
        x, maps = self.stems[domain](image), []
        stages: Any = self.stages
        for stage, blocks in enumerate(stages):
            if stage > 0:
                x = self.downs[stage - 1](x, domain, activated=True)
            for block in blocks:
                x = block(x, domain)
            maps.append(x)
        return maps

    def map_sizes(self, input_size: Sequence[int], domain: int = 0) -> list[list[int]]:
        """Spatial sizes of the stages' maps in voxels for an image of `input_size` voxels."""
        sizes, size = [], list(input_size)
        for stride in self.domains[domain].strides:
            size = [-(-n // s) for n, s in zip(size, stride, strict=True)]
            sizes.append(size)
        return sizes

    def kept_elements(self, sizes: Sequence[Sequence[int]]) -> int:
        """Elements that stem and units put out for one sample."""
        stages: Any = self.stages
        units = [1 + 2 * len(blocks) for blocks in stages]  # the stem or the strided unit, two per block
        return sum(n * c * math.prod(size) for n, c, size in zip(units, self.output_channels, sizes, strict=True))


class Decoder(nn.Module):
    """Per stage, coarse to fine: enlarge, unit, concatenate the skip, units; per domain a 1x1 head for every stage."""

    def __init__(
        self, style: Style, domains: Sequence[Domain], features: Sequence[int], convs: Sequence[int]
    ) -> None:
        super().__init__()
        self.deep_supervision = False  # nnU-Net toggles it
        fine = list(range(len(features) - 2, -1, -1))
        self.ups = nn.ModuleList(style.unit(features[s + 1], features[s], domains, s) for s in fine)
        self.stages = nn.ModuleList(
            nn.ModuleList(style.unit((1 + (n == 0)) * features[s], features[s], domains, s) for n in range(count))
            for s, count in zip(fine, convs, strict=True)
        )
        self.seg_layers = nn.ModuleList(
            nn.ModuleList(style.ops.conv1x1(features[s], domain.num_classes) for s in fine) for domain in domains
        )
        self.seg_layers.apply(kaiming_normal)
        self.domains = list(domains)

    def forward(self, maps: Sequence[torch.Tensor], domain: int = 0) -> torch.Tensor | list[torch.Tensor]:
        """Logits of the encoder's maps: a list, full resolution first, with deep supervision; else one tensor."""
        *skips, x = maps
        logits: list[torch.Tensor] = []
        stages: Any = self.stages
        heads: Any = self.seg_layers[domain]
        for position, (up, stage, head) in enumerate(zip(self.ups, stages, heads, strict=True)):
            factor = self.domains[domain].strides[-1 - position]
            x = up(x, domain, factor=factor, activated=True)
            for n, unit in enumerate(stage):
                x = unit(x, domain, skip=skips[-1 - position] if n == 0 else None, activated=True)
            if self.deep_supervision or position == len(self.ups) - 1:
                logits.append(head_of(x, head))
        return logits[::-1] if self.deep_supervision else logits[0]

    def kept_elements(self, sizes: Sequence[Sequence[int]], domain: int = 0) -> int:
        """Elements that units and heads put out for one sample, given the sizes of the encoder's maps."""
        stages: Any = self.stages
        heads: Any = self.seg_layers[domain]
        total = 0
        for position, (stage, head) in enumerate(zip(stages, heads, strict=True)):
            kept = (1 + len(stage)) * head.in_channels
            if self.deep_supervision or position == len(self.stages) - 1:
                kept += head.out_channels
            total += kept * math.prod(sizes[-2 - position])
        return total


def head_of(x: torch.Tensor, head: Any) -> torch.Tensor:
    """A 1x1 convolution to few channels, as the product that a channels-last map allows."""
    return F.linear(x.movedim(1, -1), head.weight.flatten(1), head.bias).movedim(-1, 1)
