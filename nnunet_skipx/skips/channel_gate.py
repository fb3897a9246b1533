"""A gate of one weight per channel."""

import torch
from torch import nn

from nnunet_skipx.kernels.precision import without_autocast
from nnunet_skipx.skips.per_image import PerImage


class ChannelGate(nn.Module):
    """One weight per channel from the channels' means: `sigmoid(W2 relu(W1 mean(z)))` (XUNet, "channel attention").

    The source has it in 2D only and wants 16 channels or more; here fewer than `reduction` channels meet in one.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.squeeze = nn.Linear(channels, hidden, bias=False)
        self.excite = nn.Linear(hidden, channels, bias=False)
        self.chosen = PerImage()

    @without_autocast
    def forward(self, means: torch.Tensor) -> torch.Tensor:
        """Weights `(B, C)` from means `(B, C)`, at least float32."""
        return self.chosen(torch.sigmoid(self.excite(torch.relu(self.squeeze(means)))))
