"""DAT and one DRA per skip as one mechanism (UDTransNet)."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.dat import DAT
from nnunet_skipx.skips.dat_layer import DATOptions
from nnunet_skipx.skips.dra import DRA, Recalibration
from nnunet_skipx.skips.token_grid import TokenGrid


class AttentionBridge(nn.Module):
    """UDTransNet's way from encoder to decoder: DAT makes tokens of the skips, a DRA makes each skip from tokens.

    The decoder sees the encoder's maps only as tokens. Decoder maps have the channels of their skip, as in nnU-Net.

    Args:
        ops, channels, grid, options: see `DAT`.
        recalibration: see `DRA`.
    """

    def __init__(
        self,
        ops: BlockOps,
        channels: Sequence[int],
        grid: TokenGrid,
        options: DATOptions,
        recalibration: Recalibration,
    ) -> None:
        super().__init__()
        self.channels = list(channels)
        self.dat = DAT(ops, channels, grid, options)
        self.dras = nn.ModuleList(
            DRA(ops, c, c, patch, options.embedding, recalibration)
            for c, patch in zip(channels, grid.patches, strict=True)
        )

    def forward(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Tokens `(S, B, n, embedding)` of the skips `(B, C, *spatial)` that take part, stage 0 first."""
        return self.dat(features)

    def skip(self, stage: int, decoder_map: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """The skip for a decoder map `(B, C, *spatial)` of that stage, of the same shape."""
        return self.dras[stage](decoder_map, tokens[stage])

    def compute_conv_feature_map_size(self, sizes: Sequence[Sequence[int]]) -> int:
        """Elements that the convolutions put out for one sample, given the sizes of the encoder's maps in voxels."""
        elements = 0
        for size, patch, channels in zip(sizes, self.dat.grid.patches, self.channels, strict=False):
            voxels = math.prod(int(n) for n in size)
            tokens = voxels // math.prod(patch)
            elements += voxels * channels + tokens * (self.dat.positions.shape[2] + 2 * channels)
        return elements
