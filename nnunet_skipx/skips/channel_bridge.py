"""CCT and one CCA per skip as one mechanism (UCTransNet)."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from nnunet_skipx.kernels.blocks import add_blocks
from nnunet_skipx.kernels.pointwise import spatial_mean
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.cca import CCA
from nnunet_skipx.skips.cct import CCT
from nnunet_skipx.skips.token_grid import TokenGrid


class ChannelBridge(nn.Module):
    """UCTransNet's way from encoder to decoder: CCT adds to each skip what it makes of all, CCA weighs its channels.

    Decoder maps have the channels of their skip, as in nnU-Net.

    Args:
        ops, channels, grid, heads, layers: see `CCT`.
        fusion, recalibration: whether there are a CCT and CCAs.
        gain: see `CCA`.
    """

    def __init__(
        self,
        ops: BlockOps,
        channels: Sequence[int],
        grid: TokenGrid,
        heads: int,
        layers: int,
        fusion: bool,
        recalibration: bool,
        gain: float,
    ) -> None:
        super().__init__()
        self.channels, self.grid = list(channels), grid
        self.cct = CCT(ops, channels, grid, heads, layers) if fusion else None
        self.ccas = nn.ModuleList(CCA(c, gain) for c in (channels if recalibration else ()))

    def forward(self, features: Sequence[torch.Tensor]) -> list[torch.Tensor | None]:
        """What CCT makes of the skips `(B, C_i, *spatial)` that take part: `(B, C_i, *grid)` each, None without CCT."""
        return [None] * len(self.channels) if self.cct is None else list(self.cct(features))

    def skip(self, stage: int, x: torch.Tensor, blocks: torch.Tensor | None, decoder_map: torch.Tensor) -> torch.Tensor:
        """What the decoder sees of a skip x, `(B, C, *spatial)` as its own map of that stage, of the same shape."""
        weights = self.weights(stage, x, blocks, decoder_map) if self.ccas else None
        if blocks is not None:
            return add_blocks(x, blocks.to(x.dtype), weights)
        return x if weights is None else x * weights.to(x.dtype).view(*weights.shape, *[1] * (x.ndim - 2))

    def weights(
        self, stage: int, x: torch.Tensor, blocks: torch.Tensor | None, decoder_map: torch.Tensor
    ) -> torch.Tensor:
        """Weights `(B, C)` of the channels; blocks are all of one size, so the enlarged ones have the same mean."""
        mean = spatial_mean(x) if blocks is None else spatial_mean(x) + spatial_mean(blocks)
        weights: torch.Tensor = self.ccas[stage](mean, spatial_mean(decoder_map))
        return weights

    def compute_conv_feature_map_size(self, sizes: Sequence[Sequence[int]]) -> int:
        """Elements that the convolutions put out for one sample, and those of the skips as the decoder sees them."""
        elements = 0
        for size, patch, channels in zip(sizes, self.grid.patches, self.channels, strict=False):
            voxels = math.prod(int(n) for n in size)
            if self.cct is not None or len(self.ccas):
                elements += voxels * channels
            if self.cct is not None:
                elements += 2 * voxels // math.prod(patch) * channels
        return elements
