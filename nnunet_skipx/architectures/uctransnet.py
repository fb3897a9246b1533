"""UCTransNet (AAAI 2022) on nnU-Net's plans: channels of all skips attend to each other, the decoder weighs them."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from nnunet_skipx.architectures.any_size import any_size
from nnunet_skipx.architectures.unet import SkipUNet
from nnunet_skipx.skips.channel_bridge import ChannelBridge
from nnunet_skipx.skips.image_level import normalises_each_image
from nnunet_skipx.skips.token_grid import token_grid

# Behind instance norm the means of all images are much alike: they keep an eighth of the spread that CCA sees under
# batch norm, and a fourth where there is no CCT, whose part of it is the largest.
MEANS_GAIN, MEANS_GAIN_WITHOUT_CCT = 8.0, 4.0


class UCTransNet(SkipUNet):
    """nnU-Net's U-Net with UCTransNet's CCT (between encoder and decoder) and CCA (in the decoder) on its skips.

    Skips as coarse as the token grid or coarser (in deep plans, stride 16 and more) stay nnU-Net's own concatenation.

    Args:
        input_channels, num_classes, deep_supervision, unet: see `SkipUNet`.
        patch_size: the plan's patch in voxels; images of other sizes work too, see `token_grid`.
        heads, layers: of CCT.
        fusion, recalibration: False for twins without CCT, without CCA; without both it is the stock U-Net.
        amplified: let CCA see the image behind nnU-Net's instance norm; False: the paper's CCA.

    Raises:
        ValueError: a patch too small for the token grid.
    """

    plan_arguments: ClassVar[tuple[str, ...]] = ("patch_size",)
    vram_reference = (74_000_000, 614_000_000)

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        deep_supervision: bool = False,
        *,
        patch_size: Sequence[int],
        heads: int = 4,
        layers: int = 4,
        fusion: bool = True,
        recalibration: bool = True,
        amplified: bool = True,
        **unet: Any,
    ) -> None:
        super().__init__(input_channels, num_classes, deep_supervision, **unet)
        grid = token_grid(patch_size, self.encoder.strides)
        channels = self.skip_channels[: len(grid.patches)]
        gain = 1.0
        if amplified and normalises_each_image(self.ops.norm_op):
            gain = MEANS_GAIN if fusion else MEANS_GAIN_WITHOUT_CCT
        self.skips = ChannelBridge(self.ops, channels, grid, heads, layers, fusion, recalibration, gain)
        self.gates_spread = UCTransNet.gates_spread if fusion or recalibration else None

    @any_size
    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits as `SkipUNet.forward`."""
        *features, bottleneck = self.encoder(x)
        bridged = len(self.skips.channels)
        fused = self.skips(features[:bridged])

        def merge(stage: int, u: torch.Tensor) -> torch.Tensor:
            skip = features[stage]
            if stage < bridged:
                skip = self.skips.skip(stage, skip, fused[stage], u)
            return self.decoder_stage(stage)(torch.cat([u, skip], 1))

        return self.decode(bottleneck, merge)

    def compute_conv_feature_map_size(self, input_size: Sequence[int]) -> np.int64:
        """Elements that the convolutions put out for one sample, CCT and CCA included."""
        bridge = self.skips.compute_conv_feature_map_size(self.map_sizes(input_size))
        return super().compute_conv_feature_map_size(input_size) + np.int64(bridge)
