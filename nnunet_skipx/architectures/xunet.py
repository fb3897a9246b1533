"""XUNet on nnU-Net's plans: every decoder stage sees every encoder stage."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from nnunet_skipx.architectures.any_size import any_size
from nnunet_skipx.architectures.injection import first_conv_block, run_stage
from nnunet_skipx.architectures.unet import SkipUNet
from nnunet_skipx.skips.blocks import refuse_unknown
from nnunet_skipx.skips.cross_over import CrossOver, reduced_for_each_stage

# The source has instance norm itself, so its attention sees as little of the image as ours.
BLIND_AS_THE_SOURCE = 0.1


class XUNet(SkipUNet):
    """nnU-Net's U-Net whose decoder stages see the maps of all encoder stages, the bottleneck included (XUNet).

    A stage's first convolution runs over `[u, N(x0), ..., N(xL)]`, u the enlarged map of the stage below and N the
    nearest-neighbour resizing to its size. What it does to u and to the own skip is the stock convolution, under its
    stock name and with its stock start; the kernels of the other maps lie in `skips` and start as nnU-Net starts a
    convolution over the whole concatenation.

    Args:
        input_channels, num_classes, deep_supervision, unet: see `SkipUNet`.
        attention: weigh the channels of each concatenation by their means first.
        reduction: channels per hidden channel of that attention.
        mechanism: "cross_over", or "own_level" for the twin, whose stages see what nnU-Net's see: its U-Net.
    """

    vram_reference = (113_000_000, 728_000_000)

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        deep_supervision: bool = False,
        *,
        attention: bool = False,
        reduction: int = 16,
        mechanism: Literal["cross_over", "own_level"] = "cross_over",
        **unet: Any,
    ) -> None:
        super().__init__(input_channels, num_classes, deep_supervision, **unet)
        refuse_unknown("mechanism", mechanism, ("cross_over", "own_level"))
        if mechanism == "own_level" and attention:
            raise ValueError(
                "XUNet's twin (mechanism='own_level') has no concatenation whose channels attention=True could weigh: "
                "drop one of the two (in a trainer's name, `_attn` or `_twin`)"
            )
        if reduction < 1:
            raise ValueError(f"reduction must be 1 or more, got {reduction}")
        channels = self.encoder.output_channels
        self.skips = nn.ModuleList()
        self.gates_spread = BLIND_AS_THE_SOURCE if attention else None
        for stage in range(len(channels) - 1) if mechanism == "cross_over" else ():
            conv = first_conv_block(self.decoder_stage(stage)).conv
            below = conv.in_channels - channels[stage]
            sizes = (channels, stage, below, conv.out_channels, conv.kernel_size)
            self.skips.append(CrossOver(*sizes, attention, reduction))

    @any_size
    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits as `SkipUNet.forward`."""
        features = self.encoder(x)
        if not self.skips:
            return self.decoder(features)
        maps = reduced_for_each_stage(features)

        def merge(skip: int, u: torch.Tensor) -> torch.Tensor:
            seen, extra = self.skips[skip](u, maps[skip])
            return run_stage(self.decoder_stage(skip), seen, extra)

        return self.decode(features[-1], merge)

    def compute_conv_feature_map_size(self, input_size: Sequence[int]) -> np.int64:
        """Elements that the convolutions put out for one sample, those of the mechanism included."""
        sizes = self.map_sizes(input_size)
        mechanisms: list[Any] = list(self.skips)
        added = sum(mechanism.compute_conv_feature_map_size(sizes) for mechanism in mechanisms)
        return super().compute_conv_feature_map_size(input_size) + np.int64(added)
