"""TA-MoSC, the task-adaptive mixture of skip connections of UTANet (AAAI 2025)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from nnunet_skipx.kernels.pointwise import conv1x1, conv1x1_norm_nonlin, spatial_mean
from nnunet_skipx.kernels.resize import narrow_to_support, resize_linear
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.experts import Experts
from nnunet_skipx.skips.gates import Gates, MixtureOptions, Routing
from nnunet_skipx.skips.image_level import ImageLevel, normalises_each_image

FUSING_STAGE = 1
# Brings the spread between images of what the gates see to that with batch norm: `python -m benchmarks.gate_spread`.
GATE_GAIN = 2.75
# The mean of a normed map behind ReLU, which is what gates see that are not to see the image.
USUAL_LEVEL = 0.4


class Fuse(nn.Module):
    """All skips at one resolution, through one 1x1 convolution, norm and activation (UTANet, "fuse").

    A 1x1 convolution over a concatenation is the sum of one per part, and it commutes with resizing. So coarse maps
    are enlarged after their channels were reduced, and the concatenation never exists.
    """

    def __init__(self, ops: BlockOps, channels: Sequence[int], embedding: int) -> None:
        super().__init__()
        self.channels = list(channels)
        self.conv = ops.conv1x1(sum(channels), embedding)
        self.norm = ops.norm(embedding)
        self.nonlin = ops.nonlin(inplace=False)  # instance norm returns a view, on which working in place costs copies

    def convolve(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """The map ahead of the norm, `(B, embedding, *spatial of stage 1)`, of the skips, stage 0 first."""
        size = features[FUSING_STAGE].shape[2:]
        weights = self.conv.weight.flatten(1).split(self.channels, dim=1)
        fused = conv1x1(features[FUSING_STAGE], weights[FUSING_STAGE], self.conv.bias)
        for stage, (x, weight) in enumerate(zip(features, weights, strict=True)):
            if stage < FUSING_STAGE:
                fused += conv1x1(resize_linear(x, size), weight)
            elif stage > FUSING_STAGE:
                fused += resize_linear(conv1x1(x, weight), size)
        return fused

    def activate(self, fused: torch.Tensor) -> torch.Tensor:
        """The fused map, of what `convolve` gives."""
        return self.nonlin(self.norm(fused))


class Docker(nn.Module):
    """From a mixture back to one skip: 1x1 convolution, norm, activation, then the skip's size (UTANet, "docker")."""

    def __init__(self, ops: BlockOps, embedding: int, channels: int) -> None:
        super().__init__()
        self.conv = ops.conv1x1(embedding, channels)
        self.norm = ops.norm(channels)
        self.nonlin = ops.nonlin()

    def forward(self, mixture: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
        """`(B, channels, *size)` from a mixture `(B, embedding, *spatial of stage 1)`."""
        return resize_linear(self.activated(mixture, size), size)

    def activated(self, mixture: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
        """The map behind the activation, at the voxels that resizing to `size` reads."""

        def keep(x: torch.Tensor) -> torch.Tensor:
            return narrow_to_support(x, size)

        return conv1x1_norm_nonlin(mixture, self.conv.weight.flatten(1), self.conv.bias, self.norm, self.nonlin, keep)


class TAMoSC(nn.Module):
    """Task-adaptive mixture of skip connections (UTANet, AAAI 2025): fuse, experts, one gate and docker per skip.

    The encoder's maps reach the decoder only through it: there is no residual path around it. Its parameters start
    as the source's do: gates Xavier-uniform, convolutions and norms at torch's defaults.

    Args:
        ops: op types of the plans; the source's own are batch norm and ReLU.
        channels: channels of the skips, stage 0 first; at least two.
        options: see `MixtureOptions`.

    With a norm over each image, such as nnU-Net's instance norm, the gates see what batch norm would leave them
    (`ImageLevel`); all else is normed as the plans say.
    """

    def __init__(self, ops: BlockOps, channels: Sequence[int], options: MixtureOptions) -> None:
        super().__init__()
        if len(channels) <= FUSING_STAGE:
            raise ValueError(f"TA-MoSC mixes at least 2 skips, got {len(channels)}: the plans need 3 stages or more")
        self.routing = options.routing
        self.fuse = Fuse(ops, channels, options.embedding)
        self.gates = Gates(len(channels), options) if options.has_gates else None
        apart = options.routing == "top_k" and normalises_each_image(ops.norm_op)
        self.level = ImageLevel(options.embedding, GATE_GAIN) if apart else None
        self.experts = Experts(ops, options)
        self.dockers = nn.ModuleList(Docker(ops, options.embedding, c) for c in channels)

    def forward(self, features: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], Routing | None]:
        """Skips of the same shapes as `features` (`(B, C, *spatial)`, stage 0 first), and what the gates decided."""
        joined = self.fuse.convolve(features)
        fused = self.fuse.activate(joined)
        routing = None if self.gates is None else self.gates(self.seen_by_gates(joined, fused))
        if self.routing == "fixed":
            mixtures = self.experts.one_each(fused, len(features))
        else:
            mixtures = self.experts(fused, routing).expand(-1, len(features), *[-1] * (fused.ndim - 1))
        skips = [
            docker(mixture, x.shape[2:])
            for docker, mixture, x in zip(self.dockers, mixtures.unbind(1), features, strict=True)
        ]
        return skips, routing

    def seen_by_gates(self, joined: torch.Tensor, fused: torch.Tensor) -> torch.Tensor:
        """`(B, embedding)` of the map ahead of the norm and of the fused one, both `(B, embedding, *spatial)`."""
        if self.routing == "constant":
            return fused.new_full(fused.shape[:2], USUAL_LEVEL, dtype=torch.promote_types(fused.dtype, torch.float32))
        if self.level is None:
            return spatial_mean(fused)
        return self.level(joined, self.fuse.norm, self.fuse.nonlin)

    def compute_conv_feature_map_size(self, sizes: Sequence[Sequence[int]]) -> int:
        """Elements that the convolutions put out for one sample, given the sizes of the encoder's maps in voxels."""
        voxels = math.prod(sizes[FUSING_STAGE])
        dockers = [docker.conv for docker in self.dockers]
        convolutions: list[Any] = [self.fuse.conv, self.experts.expand, self.experts.project, *dockers]
        return voxels * sum(conv.out_channels for conv in convolutions)
