"""One layer of UDTransNet's dual attention transformer, and the options that all of its parts share."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

from nnunet_skipx.kernels.instance_norm_attention import channel_attention, spatial_attention
from nnunet_skipx.kernels.per_scale import LAYER_NORM_EPS, ScaleLinear, ScaleNorm
from nnunet_skipx.skips.blocks import refuse_unknown
from nnunet_skipx.skips.per_image import PerImage

Merge = Literal["repaired", "published"]


@dataclass(frozen=True)
class DATOptions:
    """How a dual attention transformer is built; the defaults are the source's, with the heads' merge repaired.

    Args:
        embedding: features of a token, d.
        heads: heads of the spatial attention; divides the embedding.
        layers: layers.
        dropout: probability of dropping attention weights, projections and hidden features; in training only.
        merge: "repaired", or "published" to merge heads as the published code does (see `merge_heads`).
        fusion, selection: False for twins without channel fusion or spatial selection: no attention, queries, keys and
            values are summed; in the selection's place keys and values are averaged over the scales at the token's own
            position.

    Raises:
        ValueError: heads that do not divide the embedding, or an option that does not exist.
    """

    embedding: int = 128
    heads: int = 4
    layers: int = 4
    dropout: float = 0.1
    merge: Merge = "repaired"
    fusion: bool = True
    selection: bool = True

    def __post_init__(self) -> None:
        refuse_unknown("merge", self.merge, ("repaired", "published"))
        if self.embedding % self.heads:
            raise ValueError(
                f"embedding={self.embedding} cannot be split into heads={self.heads}: choose "
                f"embedding={self.heads * 32}, or another multiple of {self.heads}"
            )


class ChannelFusion(nn.Module):
    """Channel-wise fusion attention: every feature of every scale attends to all of them (UDTransNet, "CFA")."""

    def __init__(self, scales: int, options: DATOptions) -> None:
        super().__init__()
        self.scales, self.dropout, self.attends = scales, options.dropout, options.fusion
        self.query = xavier_linear(scales * options.embedding)
        self.key = xavier_linear(scales * options.embedding)
        self.value = xavier_linear(scales * options.embedding)
        self.chosen = PerImage()

    def forward(self, joint: torch.Tensor) -> torch.Tensor:
        """Fused tokens of each scale, `(B, S, n, d)`, of the tokens of all scales side by side, `(B, n, S * d)`."""
        q, k, v = self.query(joint), self.key(joint), self.value(joint)
        if not self.attends:
            fused = q + k + v
        else:
            fused = channel_attention(q, k, v, self.dropout if self.training else 0.0, self.chosen)
        return fused.unflatten(2, (self.scales, -1)).transpose(1, 2)


class SpatialSelection(nn.Module):
    """Spatial selection attention: each scale's tokens attend to the fused tokens of all (UDTransNet, "SSA")."""

    def __init__(self, scales: int, options: DATOptions) -> None:
        super().__init__()
        self.heads, self.dropout = options.heads, options.dropout
        self.merge, self.attends = options.merge, options.selection
        self.query = ScaleLinear(scales, options.embedding, options.embedding, bias=False)
        self.key = xavier_linear(options.embedding)
        self.value = xavier_linear(options.embedding)

    def forward(self, tokens: torch.Tensor, fused: torch.Tensor) -> torch.Tensor:
        """Context `(S, B, n, d)` of normed tokens `(S, B, n, d)` among the fused ones, `(B, S, n, d)`."""
        q = self.split_heads(self.query(tokens))
        if not self.attends:
            own_position = fused.mean(1)
            return self.merge_heads(q + self.split_heads(self.key(own_position) + self.value(own_position)))
        keys_values = fused.flatten(1, 2)
        k, v = self.split_heads(self.key(keys_values)), self.split_heads(self.value(keys_values))
        return self.merge_heads(spatial_attention(q, k, v, self.dropout if self.training else 0.0))

    def attention_shares(self, tokens: torch.Tensor, fused: torch.Tensor) -> torch.Tensor | None:
        """Share `(S, S)` of attention that the tokens of each stage (row) pay to the fused ones of each stage (column).

        The mean over batch, heads and tokens of the weights in `forward(tokens, fused)`, without dropout; rows sum to
        1. None for the twin, which has no attention.
        """
        if not self.attends:
            return None
        stages, positions = fused.shape[1:3]
        q, k = self.split_heads(self.query(tokens)), self.split_heads(self.key(fused.flatten(1, 2)))
        # Values that name the stage of their token: what attention makes of them are its weights summed by stage.
        own_stage = torch.eye(stages, dtype=k.dtype, device=k.device).repeat_interleave(positions, 0)
        return spatial_attention(q, k, own_stage.expand(*k.shape[:2], -1, -1)).mean((1, 2, 3))

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

    def __init__(self, scales: int, options: DATOptions) -> None:
        super().__init__()
        self.expand = ScaleLinear(scales, options.embedding, 2 * options.embedding, bias=True)
        self.project = ScaleLinear(scales, 2 * options.embedding, options.embedding, bias=True)
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens of the same shape, `(S, B, n, d)`."""
        return self.dropout(self.project(self.dropout(F.gelu(self.expand(tokens)))))


class DATLayer(nn.Module):
    """Channel fusion, spatial selection and feed-forward, the latter two with a residual."""

    def __init__(self, scales: int, options: DATOptions) -> None:
        super().__init__()
        self.joint_norm = nn.LayerNorm(scales * options.embedding, eps=LAYER_NORM_EPS)
        self.fusion = ChannelFusion(scales, options)
        self.norm = ScaleNorm(scales, options.embedding)
        self.selection = SpatialSelection(scales, options)
        self.project = ScaleLinear(scales, options.embedding, options.embedding, bias=False)
        self.dropout = nn.Dropout(options.dropout)
        self.feed_forward_norm = ScaleNorm(scales, options.embedding)
        self.feed_forward = FeedForward(scales, options)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens of the same shape, `(S, B, n, d)`."""
        fused = self.fusion(self.joint_norm(tokens.permute(1, 2, 0, 3).flatten(2)))
        tokens = tokens + self.dropout(self.project(self.selection(self.norm(tokens), fused)))
        return tokens + self.feed_forward(self.feed_forward_norm(tokens))


def xavier_linear(features: int) -> nn.Linear:
    """A linear map without bias that keeps the width and starts Xavier-uniform."""
    linear = nn.Linear(features, features, bias=False)
    nn.init.xavier_uniform_(linear.weight)
    return linear
