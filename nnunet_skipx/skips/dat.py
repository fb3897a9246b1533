"""DAT, the dual attention transformer between encoder and decoder of UDTransNet: skips to tokens."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from nnunet_skipx.kernels.patch_embedding import embed_patches
from nnunet_skipx.kernels.per_scale import ScaleNorm
from nnunet_skipx.kernels.resize import resize_linear
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.dat_layer import DATLayer, DATOptions
from nnunet_skipx.skips.token_grid import TokenGrid


class DAT(nn.Module):
    """Dual attention transformer (UDTransNet, 2024): S skips to S token lists on one grid.

    Starts as the source does: linear maps Xavier-uniform, biases of the feed-forward normal with std 1e-6, position
    tables zero, patch convolutions at torch's defaults. The tokens themselves stay in float32 under autocast.

    Args:
        ops: op types of the plans.
        channels: channels of the skips that take part, stage 0 first.
        grid: the grid of tokens, with one patch per skip.
        options: see `DATOptions`.
    """

    def __init__(self, ops: BlockOps, channels: Sequence[int], grid: TokenGrid, options: DATOptions) -> None:
        super().__init__()
        scales = len(channels)
        self.grid, self.dropout = grid, options.dropout
        self.patches = nn.ModuleList(
            ops.conv_op(c, options.embedding, kernel_size=patch, stride=patch)
            for c, patch in zip(channels, grid.patches, strict=True)
        )
        self.positions = nn.Parameter(torch.zeros(scales, grid.tokens, options.embedding))
        self.layers = nn.ModuleList(DATLayer(scales, options) for _ in range(options.layers))
        self.norm = ScaleNorm(scales, options.embedding)

    def forward(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Tokens `(S, B, n, embedding)` of skips `(B, C, *spatial)`, stage 0 first; the grid's last axis fastest."""
        tokens = self.embed(features)
        for layer in self.layers:
            # A layer's inner maps outweigh its tokens many times over, so the backward makes them again.
            tokens = checkpoint(layer, tokens, use_reentrant=False, preserve_rng_state=self.dropout > 0)
        return self.norm(tokens)

    def embed(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Tokens `(S, B, n, embedding)` of the skips' patches and positions."""
        maps = [embed_patches(x, conv) for conv, x in zip(self.patches, features, strict=True)]
        tokens = torch.stack([x.flatten(2).mT for x in maps])
        return tokens + self.positions_on(maps[0].shape[2:])[:, None]

    def positions_on(self, grid: Sequence[int]) -> torch.Tensor:
        """The position table `(S, n, embedding)`, linearly interpolated if `grid` is not the plan's."""
        table = self.positions.mT.unflatten(2, self.grid.size)
        return resize_linear(table, grid).flatten(2).mT
