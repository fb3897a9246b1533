"""DRA, the decoder-guided recalibration attention of UDTransNet: tokens and a decoder map to a skip."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from nnunet_skipx.kernels.blocks import multiply_blocks
from nnunet_skipx.kernels.instance_norm_attention import channel_attention, spatial_attention
from nnunet_skipx.kernels.patch_embedding import embed_patches
from nnunet_skipx.kernels.pointwise import conv1x1_norm_nonlin
from nnunet_skipx.skips.blocks import BlockOps, refuse_unknown
from nnunet_skipx.skips.per_image import PerImage

Recalibration = Literal["channel", "spatial", "neutral"]


class DRA(nn.Module):
    """Decoder-guided recalibration attention (UDTransNet, 2024).

    The decoder map, cut into the tokens' patches, asks the tokens; the answer is enlarged to the decoder map's size and
    multiplied by a mask made from that map. Starts at torch's defaults, as the source does.

    Args:
        ops: op types of the plans; the source's own are batch norm and ReLU.
        decoder_channels: channels of the decoder map.
        channels: channels of the skip to be made.
        patch: voxels of the decoder map per token and axis.
        embedding: features of a token.
        recalibration: "channel" (the source's choice); "spatial": tokens attend to tokens; or "neutral" for twins:
            queries, keys and values are summed instead.

    Raises:
        ValueError: an option that does not exist.
    """

    def __init__(
        self,
        ops: BlockOps,
        decoder_channels: int,
        channels: int,
        patch: Sequence[int],
        embedding: int = 128,
        recalibration: Recalibration = "channel",
    ) -> None:
        super().__init__()
        refuse_unknown("recalibration", recalibration, ("channel", "spatial", "neutral"))
        self.recalibration = recalibration
        self.patches = ops.conv_op(decoder_channels, decoder_channels, kernel_size=tuple(patch), stride=tuple(patch))
        self.mask_conv = ops.conv1x1(decoder_channels, channels)
        self.mask_norm = ops.norm(channels)
        self.mask_nonlin = ops.nonlin()
        self.query = nn.Linear(decoder_channels, channels, bias=False)
        self.key = nn.Linear(embedding, channels, bias=False)
        self.value = nn.Linear(embedding, channels, bias=False)
        self.project = nn.Linear(channels, channels, bias=False)
        self.restore_conv = ops.conv1x1(channels, channels)
        self.restore_norm = ops.norm(channels)
        self.restore_nonlin = ops.nonlin(inplace=False)
        self.chosen = PerImage()

    def forward(self, decoder_map: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """A skip `(B, channels, *spatial)` from a decoder map `(B, C, *spatial)` and tokens `(B, n, embedding)`."""
        restored = self.restore(embed_patches(decoder_map, self.patches), tokens)
        if isinstance(self.mask_norm, _BatchNorm):  # a second evaluation would move its running statistics twice
            return self.masked(decoder_map, restored)
        # The mask is as large as the decoder map; it is cheap, so the backward makes it again.
        return checkpoint(self.masked, decoder_map, restored, use_reentrant=False, preserve_rng_state=False)

    def masked(self, decoder_map: torch.Tensor, restored: torch.Tensor) -> torch.Tensor:
        """The mask times the enlarged `restored`, `(B, channels, *grid)`; `(B, channels, *spatial)`."""
        mask = self.mask(decoder_map)
        return multiply_blocks(mask, restored.to(mask.dtype))

    def mask(self, decoder_map: torch.Tensor) -> torch.Tensor:
        """act(norm(conv1x1(decoder map))), `(B, channels, *spatial)`."""
        weight, bias = self.mask_conv.weight.flatten(1), self.mask_conv.bias
        return conv1x1_norm_nonlin(decoder_map, weight, bias, self.mask_norm, self.mask_nonlin)

    def restore(self, patches: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """act(norm(conv1x1(recalibrated tokens))), `(B, channels, *grid)`.

        These commute with nearest enlargement: each voxel of a block has its token's value, so mean and variance over
        all voxels are those over the tokens.
        """
        recalibrated = self.recalibrate(patches.flatten(2).mT, tokens)
        x = recalibrated.mT.unflatten(2, patches.shape[2:])
        return self.restore_nonlin(self.restore_norm(self.restore_conv(x)))

    def recalibrate(self, decoder_tokens: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """What the decoder's tokens `(B, n, C)` pick from the encoder's `(B, n, embedding)`, `(B, n, channels)`."""
        q, k, v = self.query(decoder_tokens), self.key(tokens), self.value(tokens)
        if self.recalibration == "neutral":
            picked = q + k + v
        elif self.recalibration == "channel":
            picked = channel_attention(q, k, v, chosen=self.chosen)
        else:
            picked = spatial_attention(q[None, :, None], k[:, None], v[:, None])[0, :, 0]
        return self.project(picked)
