"""nnU-Net's U-Net without some or all of its skips."""

from typing import Any

import torch
from dynamic_network_architectures.initialization.weight_init import InitWeights_He
from torch import nn

from nnunet_skipx.architectures.any_size import any_size
from nnunet_skipx.architectures.unet import PlannedUNet
from nnunet_skipx.skips.kept import kept_skips

NEGATIVE_SLOPE = 1e-2  # for which nnU-Net starts its convolutions


class NoSkip(PlannedUNet):
    """nnU-Net's U-Net whose decoder stages see the stage below only, where their skip is cut.

    What is cut is gone: the first convolution of such a stage has half the input channels, and nothing is filled in.

    Args:
        input_channels, num_classes, deep_supervision, unet: see `PlannedUNet`.
        kept: which skips are kept: "none", "all", or a digit for each, full resolution first, 1 for one that is kept
            and 0 for a cut one, such as "0111".

    Raises:
        ValueError: `kept` is of another number of skips than the plans have.
    """

    gates_spread = None
    vram_reference = (94_000_000, 611_000_000)

    def __init__(
        self, input_channels: int, num_classes: int, deep_supervision: bool = False, *, kept: str = "none", **unet: Any
    ) -> None:
        super().__init__(input_channels, num_classes, deep_supervision, **unet)
        self.kept = kept_skips(kept, len(self.skip_channels))
        for skip, is_kept in enumerate(self.kept):
            if not is_kept:
                take_no_skip(self.decoder_stage(skip))

    @any_size
    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits as `PlannedUNet.forward`."""
        *features, bottleneck = self.encoder(x)

        def merge(skip: int, below: torch.Tensor) -> torch.Tensor:
            seen = torch.cat([below, features[skip]], 1) if self.kept[skip] else below
            merged: torch.Tensor = self.decoder_stage(skip)(seen)
            return merged

        return self.decode(bottleneck, merge)


def take_no_skip(stage: Any) -> None:
    """Make the first convolution of a stock decoder stage one that reads half of what it did, started as nnU-Net's."""
    block = stage.convs[0]
    wide = block.conv
    channels = wide.in_channels // 2
    narrow: nn.Module = type(wide)(
        channels,
        wide.out_channels,
        wide.kernel_size,
        wide.stride,
        wide.padding,
        wide.dilation,
        bias=wide.bias is not None,
    )
    narrow.apply(InitWeights_He(NEGATIVE_SLOPE))
    block.conv = block.all_modules[0] = narrow
    block.input_channels = channels
