"""The nested skips of UNet++ (Zhou et al., DLMIA 2018, IEEE TMI 2020): small U-Nets of all depths between the stages.

Node `X(i, j)` stands on stage i, j steps towards the decoder. `X(i, 0)` is the encoder's map, the last node of every
stage is nnU-Net's decoder stage, and those between are here:
`X(i, j) = H([X(i, 0), ..., X(i, j - 1), U(X(i + 1, j - 1))])`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import nn

from nnunet_skipx.kernels.convolution import convolution
from nnunet_skipx.skips.blocks import BlockOps


@dataclass(frozen=True)
class Grid:
    """What the nodes are built for, per stage, finest first: the encoder's maps, and the decoder's convolutions.

    channels, strides: of the encoder's stages, bottleneck included; strides lead into each stage.
    kernels, convolutions: of each decoder stage, and how many it has.
    narrowing: a node has the channels of its stage divided by this.
    dense: a node sees all before it on its stage; else the one before it only.
    """

    channels: Sequence[int]
    strides: Sequence[Sequence[int]]
    kernels: Sequence[Sequence[int]]
    convolutions: Sequence[int]
    narrowing: int = 4
    dense: bool = True

    @property
    def last(self) -> int:
        """The step of stage 0 that is the decoder's; on stage i it is `last - i`."""
        return len(self.channels) - 1

    def width(self, stage: int) -> int:
        """Channels of a nested node."""
        return max(1, self.channels[stage] // self.narrowing)

    def seen(self, stage: int, step: int) -> tuple[int, int]:
        """Channels that node `(stage, step)` sees of the encoder's map, and of the nested nodes of its stage."""
        if self.dense:
            return self.channels[stage], (step - 1) * self.width(stage)
        return (self.channels[stage], 0) if step == 1 else (0, self.width(stage))


class NestedNode(nn.Module):
    """`X(i, j)`: the transposed convolution of the node below, and the convolutions of a decoder stage of nnU-Net's.

    The first convolution is over the concatenation `[X(i, 0), nested nodes, u]`. What it makes of the encoder's map is
    computed for all nodes of a stage at once, `of_own`, and added.
    """

    def __init__(self, ops: BlockOps, transposed: type[nn.Module], grid: Grid, stage: int, step: int) -> None:
        super().__init__()
        self.own, nested = grid.seen(stage, step)
        width, kernel, stride = grid.width(stage), tuple(grid.kernels[stage]), tuple(grid.strides[stage + 1])
        below = grid.channels[stage + 1] if step == 1 else grid.width(stage + 1)
        padding = tuple((k - 1) // 2 for k in kernel)
        self.up: Any = transposed(below, width, stride, stride)
        self.conv: Any = ops.conv_op(self.own + nested + width, width, kernel, padding=padding)
        rest: list[nn.Module] = [ops.norm(width), ops.nonlin()]
        for _ in range(grid.convolutions[stage] - 1):
            rest += [ops.conv_op(width, width, kernel, padding=padding), ops.norm(width), ops.nonlin()]
        self.rest = nn.Sequential(*rest)

    def forward(self, nested: Sequence[torch.Tensor], below: torch.Tensor, of_own: torch.Tensor | None) -> torch.Tensor:
        """`(B, width, *spatial)` of the nested nodes seen, of the node below and of what was made of the encoder's."""
        seen = torch.cat([*nested, self.up(below)], 1)
        y = convolution(seen, self.conv.weight[:, self.own :], self.conv.bias, padding=self.conv.padding)
        return self.rest(y if of_own is None else y + of_own)


class NestedSkips(nn.Module):
    """All nodes between encoder and decoder, what the decoder's stages make of them, and heads for those of stage 0.

    nodes: per stage the steps 1, 2, ..., of which the last is not here. further: the kernels with which the decoder's
    first convolutions see nested nodes. seg_layers, as nnU-Net calls heads: by step.

    Args:
        ops, transposed: the op types of the plans.
        grid: see `Grid`.
        num_classes: channels of the heads' logits; 0 where there are no heads.
    """

    def __init__(self, ops: BlockOps, transposed: type[nn.Module], grid: Grid, num_classes: int) -> None:
        super().__init__()
        self.grid = grid
        self.nodes: Any = nn.ModuleList(
            nn.ModuleList(NestedNode(ops, transposed, grid, stage, step) for step in range(1, grid.last - stage))
            for stage in range(grid.last - 1)
        )
        self.further: Any = nn.ModuleList(self.beside_decoder(ops, stage) for stage in range(grid.last - 1))
        steps = range(1, grid.last) if num_classes else ()
        self.seg_layers: Any = nn.ModuleDict({str(step): ops.conv1x1(grid.width(0), num_classes) for step in steps})
        self.start()

    def beside_decoder(self, ops: BlockOps, stage: int) -> nn.Module:
        """The part of a decoder stage's first convolution that sees nested nodes; the stock part has the bias."""
        seen = (self.grid.last - stage - 1 if self.grid.dense else 1) * self.grid.width(stage)
        return ops.conv_op(seen, self.grid.channels[stage], tuple(self.grid.kernels[stage]), bias=False)

    def start(self) -> None:
        """Weights as nnU-Net starts them, those beside the decoder as part of a convolution over all that it sees."""
        gain = nn.init.calculate_gain("leaky_relu", 1e-2)
        convolutions: list[Any] = [module for module in self.modules() if hasattr(module, "kernel_size")]
        for conv in convolutions:
            nn.init.kaiming_normal_(conv.weight, a=1e-2)
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)
        for stage, conv in enumerate(self.further):
            channels = 2 * self.grid.channels[stage] + conv.in_channels
            nn.init.normal_(conv.weight, std=gain / (channels * prod(conv.kernel_size)) ** 0.5)

    def forward(self, features: Sequence[torch.Tensor]) -> list[list[torch.Tensor]]:
        """The nested nodes per stage, each `(B, width, *spatial)`.

        Args:
            features: the encoder's maps, `(B, C, *spatial)`, stage 0 first, of all stages that are below a node.
        """
        nested: list[list[torch.Tensor]] = [[] for _ in self.nodes]
        of_own = [self.of_own(stage, features[stage]) for stage in range(len(self.nodes))]
        for step in range(1, len(self.nodes[0]) + 1):
            for stage, nodes in enumerate(self.nodes):
                if step <= len(nodes):
                    below = features[stage + 1] if step == 1 else nested[stage + 1][step - 2]
                    seen = self.seen(nested[stage])
                    nested[stage].append(nodes[step - 1](seen, below, of_own[stage].get(step)))
        return nested

    def seen(self, nested: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        """Those of the nested nodes of a stage that the next one sees."""
        return nested if self.grid.dense else nested[-1:]

    def of_own(self, stage: int, x: torch.Tensor) -> dict[int, torch.Tensor]:
        """What the first convolutions of a stage's nodes make of the encoder's map, by step; one for all of them."""
        nodes = {step: node for step, node in enumerate(self.nodes[stage], start=1) if node.own}
        weight = torch.cat([node.conv.weight[:, : node.own] for node in nodes.values()])
        made = convolution(x, weight, padding=self.nodes[stage][0].conv.padding)
        return dict(zip(nodes, made.chunk(len(nodes), 1), strict=True))

    def prune(self, step: int) -> None:
        """Keep what `X(0, step)` and its head need."""
        self.nodes = nn.ModuleList(nodes[: step - stage] for stage, nodes in enumerate(self.nodes[:step]))
        self.further = nn.ModuleList()
        self.seg_layers = nn.ModuleDict({str(step): self.seg_layers[str(step)]})

    def compute_conv_feature_map_size(self, sizes: Sequence[Sequence[int]]) -> int:
        """Elements that the convolutions put out for one sample, given the sizes of the encoder's maps in voxels."""
        elements = sum(head.out_channels for head in self.seg_layers.values()) * prod(sizes[0])
        for stage, nodes in enumerate(self.nodes):
            maps = sum(1 + self.grid.convolutions[stage] + bool(node.own) for node in nodes)  # the first: enlarged
            elements += maps * self.grid.width(stage) * prod(sizes[stage])
        return elements
