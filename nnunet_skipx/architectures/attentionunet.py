"""Attention U-Net on nnU-Net's plans: an additive attention gate on every skip."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from nnunet_skipx.architectures.any_size import any_size
from nnunet_skipx.architectures.unet import SkipUNet
from nnunet_skipx.skips.attention_gate import AttentionGate
from nnunet_skipx.skips.blocks import refuse_unknown


class AttentionUNet(SkipUNet):
    """nnU-Net's U-Net whose decoder sees every skip through a gate that the coarser decoder map opens (Oktay et al.).

    Args:
        input_channels, num_classes, deep_supervision, unet: see `SkipUNet`.
        finest: gate the skip of full resolution, too; the paper leaves it as it is.
        gating: what opens a gate: the coarser "decoder" map beside the skip, the "skip" alone, or "none": no gates.
    """

    vram_reference = (105_000_000, 680_000_000)

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        deep_supervision: bool = False,
        *,
        finest: bool = True,
        gating: Literal["decoder", "skip", "none"] = "decoder",
        **unet: Any,
    ) -> None:
        super().__init__(input_channels, num_classes, deep_supervision, **unet)
        refuse_unknown("gating", gating, ("decoder", "skip", "none"))
        self.gates_spread = None if gating == "none" else AttentionUNet.gates_spread
        self.first = 0 if finest else 1
        channels, strides = self.encoder.output_channels, self.encoder.strides
        self.skips = nn.ModuleList(
            AttentionGate(
                self.ops,
                channels[stage],
                channels[stage + 1] if gating == "decoder" else None,
                max(1, channels[stage] // 2),
                strides[stage + 1],
            )
            for stage in range(self.first, len(channels) - 1 if gating != "none" else 0)
        )

    @any_size
    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits as `SkipUNet.forward`."""
        *features, below = self.encoder(x)

        def merge(skip: int, u: torch.Tensor) -> torch.Tensor:
            nonlocal below
            x, gate = features[skip], skip - self.first
            if self.skips and gate >= 0:
                x = self.skips[gate](x, below)
            below = self.decoder_stage(skip)(torch.cat([u, x], 1))
            return below

        return self.decode(below, merge)

    def compute_conv_feature_map_size(self, input_size: Sequence[int]) -> np.int64:
        """Elements that the convolutions put out for one sample, and those of the skips behind their gates."""
        sizes = self.map_sizes(input_size)
        gates: list[Any] = list(self.skips)
        added = sum(
            gate.compute_conv_feature_map_size(*sizes[stage : stage + 2])
            for stage, gate in enumerate(gates, start=self.first)
        )
        return super().compute_conv_feature_map_size(input_size) + np.int64(added)
