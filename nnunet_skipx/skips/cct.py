"""CCT, UCTransNet's channel-wise cross fusion transformer between encoder and decoder (arXiv 2109.04335)."""

from collections.abc import Sequence

import torch
from torch import nn

from nnunet_skipx.kernels.patch_embedding import embed_patches
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.cct_layer import CCTLayer
from nnunet_skipx.skips.token_grid import TokenGrid


class CCT(nn.Module):
    """Channel-wise cross fusion transformer: S skips to S maps on the grid of their tokens.

    A token has as many features as its skip has channels.

    Args:
        ops: op types of the plans.
        channels: channels of the skips that take part, stage 0 first.
        grid: the grid of tokens, with one patch per skip.
        heads, layers: of the transformer.
    """

    def __init__(self, ops: BlockOps, channels: Sequence[int], grid: TokenGrid, heads: int, layers: int) -> None:
        super().__init__()
        self.channels = list(channels)
        self.patches = nn.ModuleList(
            ops.conv_op(c, c, kernel_size=patch, stride=patch) for c, patch in zip(channels, grid.patches, strict=True)
        )
        self.layers = nn.ModuleList(CCTLayer(channels, heads) for _ in range(layers))
        self.restores = nn.ModuleList(
            nn.Sequential(ops.conv1x1(c, c), ops.norm(c), ops.nonlin(inplace=False)) for c in channels
        )

    def forward(self, features: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Maps `(B, C_i, *grid)`, which nearest enlargement brings to the size of their skips, `(B, C_i, *spatial)`.

        The convolution behind the enlargement, a 1x1 one, commutes with it as norm and activation do: every voxel of a
        block has its token's value, so mean and variance over all voxels are those over the tokens.
        """
        maps = [embed_patches(x, conv) for conv, x in zip(self.patches, features, strict=True)]
        tokens = torch.cat([x.flatten(2) for x in maps], 1).mT
        for layer in self.layers:
            tokens = layer(tokens)
        parts = tokens.mT.unflatten(2, maps[0].shape[2:]).split(self.channels, 1)
        return [restore(part) for restore, part in zip(self.restores, parts, strict=True)]
