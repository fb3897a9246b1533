"""UDTransNet (Neural Networks 2024) on nnU-Net's plans: skips through a dual attention transformer, as tokens."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from nnunet_skipx.architectures.any_size import any_size
from nnunet_skipx.architectures.unet import SkipUNet
from nnunet_skipx.skips.attention_bridge import AttentionBridge
from nnunet_skipx.skips.dat_layer import DATOptions, Merge
from nnunet_skipx.skips.dra import Recalibration
from nnunet_skipx.skips.token_grid import token_grid


class UDTransNet(SkipUNet):
    """nnU-Net's U-Net with UDTransNet's attention on its skips: DAT (encoder) and DRA (decoder).

    Skips as coarse as the token grid or coarser (in deep plans, stride 16 and more) stay nnU-Net's own concatenation.

    Args:
        input_channels, num_classes, deep_supervision, unet: see `SkipUNet`.
        patch_size: the plan's patch in voxels; images of other sizes work too, see `token_grid` and `DAT`.
        embedding, heads, layers, dropout, merge, fusion, selection: see `DATOptions`.
        recalibration: see `DRA`.

    Raises:
        ValueError: a patch too small for the token grid, or options that do not fit.
    """

    plan_arguments: ClassVar[tuple[str, ...]] = ("patch_size",)
    vram_reference = (88_000_000, 584_000_000)

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        deep_supervision: bool = False,
        *,
        patch_size: Sequence[int],
        embedding: int = 128,
        heads: int = 4,
        layers: int = 4,
        dropout: float = 0.1,
        merge: Merge = "repaired",
        recalibration: Recalibration = "channel",
        fusion: bool = True,
        selection: bool = True,
        **unet: Any,
    ) -> None:
        super().__init__(input_channels, num_classes, deep_supervision, **unet)
        grid = token_grid(patch_size, self.encoder.strides)
        channels = self.skip_channels[: len(grid.patches)]
        options = DATOptions(embedding, heads, layers, dropout, merge, fusion, selection)
        self.skips = AttentionBridge(self.ops, channels, grid, options, recalibration)
        self.gates_spread = UDTransNet.gates_spread if fusion or recalibration == "channel" else None

    @any_size
    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits as `SkipUNet.forward`."""
        *features, bottleneck = self.encoder(x)
        bridged = len(self.skips.dras)
        tokens = self.skips(features[:bridged])

        def merge(stage: int, enlarged: torch.Tensor) -> torch.Tensor:
            skip = self.skips.skip(stage, enlarged, tokens) if stage < bridged else features[stage]
            return self.decoder_stage(stage)(torch.cat([enlarged, skip], 1))

        return self.decode(bottleneck, merge)

    def compute_conv_feature_map_size(self, input_size: Sequence[int]) -> np.int64:
        """Elements that the convolutions put out for one sample, DAT and DRA included."""
        bridge = self.skips.compute_conv_feature_map_size(self.map_sizes(input_size))
        return super().compute_conv_feature_map_size(input_size) + np.int64(bridge)
