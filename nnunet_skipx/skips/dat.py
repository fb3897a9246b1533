"""DAT, the dual attention transformer between encoder and decoder of UDTransNet: skips to tokens."""
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.instance_norm_attention import channel_attention, spatial_attention
from nnunet_skipx.skips.per_scale import LAYER_NORM_EPS, ScaleLinear, ScaleNorm
from nnunet_skipx.skips.resize import resize_linear
from nnunet_skipx.skips.token_grid import TokenGrid

Attention = Literal["dual", "neutral"]
Merge = Literal["repaired", "published"]


class ChannelFusion(nn.Module):
    """Channel-wise fusion attention: every feature of every scale attends to all of them (UDTransNet, "CFA")."""

    def __init__(self, scales: int, embedding: int, dropout: float, attention: Attention) -> None:
        super().__init__()
        self.scales, self.dropout, self.attention = scales, dropout, attention
        self.query = xavier_linear(scales * embedding)
        self.key = xavier_linear(scales * embedding)
        self.value = xavier_linear(scales * embedding)

    def forward(self, joint: torch.Tensor) -> torch.Tensor:
        """Fused tokens of each scale, `(B, S, n, d)`, of the tokens of all scales side by side, `(B, n, S * d)`."""
        q, k, v = self.query(joint), self.key(joint), self.value(joint)
        if self.attention == "neutral":
            fused = q + k + v
        else:
            fused = channel_attention(q, k, v, self.dropout if self.training else 0.0)
        return fused.unflatten(2, (self.scales, -1)).transpose(1, 2)


class SpatialSelection(nn.Module):
    """Spatial selection attention: each scale's tokens attend to the fused tokens of all (UDTransNet, "SSA")."""

    def __init__(
        self, scales: int, embedding: int, heads: int, dropout: float, merge: Merge, attention: Attention
    ) -> None:
        super().__init__()
        self.heads, self.dropout, self.merge, self.attention = heads, dropout, merge, attention
        self.query = ScaleLinear(scales, embedding, embedding, bias=False)
        self.key = xavier_linear(embedding)
        self.value = xavier_linear(embedding)

    def forward(self, tokens: torch.Tensor, fused: torch.Tensor) -> torch.Tensor:
        """Context `(S, B, n, d)` of normed tokens `(S, B, n, d)` among the fused ones, `(B, S, n, d)`."""
        q = self.split_heads(self.query(tokens))
        if self.attention == "neutral":
            own_position = fused.mean(1)
            return self.merge_heads(q + self.split_heads(self.key(own_position) + self.value(own_position)))
        keys_values = fused.flatten(1, 2)
        k, v = self.split_heads(self.key(keys_values)), self.split_heads(self.value(keys_values))
        return self.merge_heads(spatial_attention(q, k, v, self.dropout if self.training else 0.0))

    def split_heads(self, tokens: torch.Tensor) -> torch.Tensor:
        """`(..., n, d)` to `(..., heads, n, d / heads)`."""
        return tokens.unflatten(-1, (self.heads, -1)).transpose(-2, -3)

    def merge_heads(self, context: torch.Tensor) -> torch.Tensor:
        """`(S, B, heads, n, d / heads)` to `(S, B, n, d)`.

        The published code forgets to bring the heads next to the features for all scales but the first, and reads the
        block as if it had (weights trained with it carry that).
        """
        merged = context.transpose(2, 3).flatten(3)
        if self.merge == "repaired":
            return merged
        return torch.cat([merged[:1], context[1:].reshape(merged[1:].shape)])


class FeedForward(nn.Module):
    """Linear map to twice the width, GELU, linear map back, per scale."""

    def __init__(self, scales: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.expand = ScaleLinear(scales, embedding, 2 * embedding, bias=True)
        self.project = ScaleLinear(scales, 2 * embedding, embedding, bias=True)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens of the same shape, `(S, B, n, d)`."""
        return self.dropout(self.project(self.dropout(F.gelu(self.expand(tokens)))))


class DATLayer(nn.Module):
    """Channel fusion, spatial selection and feed-forward, the latter two with a residual."""

    def __init__(
        self, scales: int, embedding: int, heads: int, dropout: float, merge: Merge, attention: Attention
    ) -> None:
        super().__init__()
        self.joint_norm = nn.LayerNorm(scales * embedding, eps=LAYER_NORM_EPS)
        self.fusion = ChannelFusion(scales, embedding, dropout, attention)
        self.norm = ScaleNorm(scales, embedding)
        self.selection = SpatialSelection(scales, embedding, heads, dropout, merge, attention)
        self.project = ScaleLinear(scales, embedding, embedding, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.feed_forward_norm = ScaleNorm(scales, embedding)
        self.feed_forward = FeedForward(scales, embedding, dropout)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens of the same shape, `(S, B, n, d)`."""
        fused = self.fusion(self.joint_norm(tokens.permute(1, 2, 0, 3).flatten(2)))
        tokens = tokens + self.dropout(self.project(self.selection(self.norm(tokens), fused)))
        return tokens + self.feed_forward(self.feed_forward_norm(tokens))


class DAT(nn.Module):
    """Dual attention transformer (UDTransNet, 2024): S skips to S token lists on one grid.

    Starts as the source does: linear maps Xavier-uniform, biases of the feed-forward normal with std 1e-6, position
    tables zero, patch convolutions at torch's defaults. The tokens themselves stay in float32 under autocast.

    Args:
        ops: op types of the plans.
        channels: channels of the skips that take part, stage 0 first.
        grid: the grid of tokens, with one patch per skip.
        embedding: features of a token, d.
        heads: heads of the spatial attention; divides the embedding.
        layers: layers.
        dropout: probability of dropping attention weights, projections and hidden features; in training only.
        merge: "repaired", or "published" to merge heads as the published code does (see `merge_heads`).
        attention: "dual", or "neutral" for the twin: no attention, queries, keys and values are summed; in the spatial
            attention's place keys and values are averaged over the scales at the token's own position.

    Raises:
        ValueError: heads that do not divide the embedding, or an option that does not exist.
    """

    def __init__(
        self,
        ops: BlockOps,
        channels: Sequence[int],
        grid: TokenGrid,
        embedding: int = 128,
        heads: int = 4,
        layers: int = 4,
        dropout: float = 0.1,
        merge: Merge = "repaired",
        attention: Attention = "dual",
    ) -> None:
        super().__init__()
        refuse_unknown("merge", merge, ("repaired", "published"))
        refuse_unknown("attention", attention, ("dual", "neutral"))
        if embedding % heads:
            raise ValueError(
                f"embedding={embedding} cannot be split into heads={heads}: choose embedding={heads * 32}, or another "
                f"multiple of {heads}"
            )
        scales = len(channels)
        self.grid, self.dropout = grid, dropout
        self.patches = nn.ModuleList(
            ops.conv_op(c, embedding, kernel_size=patch, stride=patch)
            for c, patch in zip(channels, grid.patches, strict=True)
        )
        self.positions = nn.Parameter(torch.zeros(scales, grid.tokens, embedding))
        self.layers = nn.ModuleList(
            DATLayer(scales, embedding, heads, dropout, merge, attention) for _ in range(layers)
        )
        self.norm = ScaleNorm(scales, embedding)

    def forward(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Tokens `(S, B, n, embedding)` of skips `(B, C, *spatial)`, stage 0 first; the grid's last axis fastest."""
        tokens = self.embed(features)
        for layer in self.layers:
            # A layer's inner maps outweigh its tokens many times over, so the backward makes them again.
            tokens = checkpoint(layer, tokens, use_reentrant=False, preserve_rng_state=self.dropout > 0)
        return self.norm(tokens)

    def embed(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Tokens `(S, B, n, embedding)` of the skips' patches and positions."""
        maps = [patch(x) for patch, x in zip(self.patches, features, strict=True)]
        tokens = torch.stack([x.flatten(2).mT for x in maps])
        return tokens + self.positions_on(maps[0].shape[2:])[:, None]

    def positions_on(self, grid: Sequence[int]) -> torch.Tensor:
        """The position table `(S, n, embedding)`, linearly interpolated if `grid` is not the plan's."""
        table = self.positions.mT.unflatten(2, self.grid.size)
        return resize_linear(table, grid).flatten(2).mT


def xavier_linear(features: int) -> nn.Linear:
    """A linear map without bias that keeps the width and starts Xavier-uniform."""
    linear = nn.Linear(features, features, bias=False)
    nn.init.xavier_uniform_(linear.weight)
    return linear


def refuse_unknown(option: str, value: str, known: Sequence[str]) -> None:
    """Raise ValueError for a value that an option does not have."""
    if value not in known:
        raise ValueError(f"{option} must be {' or '.join(repr(k) for k in known)}, got {value!r}")
