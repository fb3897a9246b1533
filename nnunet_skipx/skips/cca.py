"""CCA, UCTransNet's channel-wise cross attention in the decoder (arXiv 2109.04335)."""

import torch
from torch import nn

from nnunet_skipx.kernels.precision import without_autocast
from nnunet_skipx.skips.image_level import Amplified
from nnunet_skipx.skips.per_image import PerImage


class CCA(nn.Module):
    """Channel-wise cross attention: one weight per channel of a skip, `sigmoid(L1 mean(skip) + L2 mean(u))`.

    u is the decoder's enlarged map, with the channels of the skip. Both linear maps share one bias.

    Args:
        channels: of the skip.
        gain: how far the means of an image are moved away from those of the others; 1: they are taken as they are.
    """

    def __init__(self, channels: int, gain: float) -> None:
        super().__init__()
        self.amplified = nn.Identity() if gain == 1.0 else Amplified(gain, 2, channels)
        self.of_skip = nn.Linear(channels, channels)
        self.of_decoder = nn.Linear(channels, channels, bias=False)
        self.chosen = PerImage()

    @without_autocast
    def forward(self, skip: torch.Tensor, decoder: torch.Tensor) -> torch.Tensor:
        """Weights `(B, C)` from the channels' means over all voxels, `(B, C)` each, at least in float32."""
        skip, decoder = self.amplified(torch.stack([skip, decoder], 1)).unbind(1)
        weights: torch.Tensor = self.chosen(torch.sigmoid(self.of_skip(skip) + self.of_decoder(decoder)))
        return weights
