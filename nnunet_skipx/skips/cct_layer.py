"""One layer of UCTransNet's channel-wise cross fusion transformer (arXiv 2109.04335, equations 1 to 4)."""

from collections.abc import Sequence

import torch
from torch import nn

from nnunet_skipx.kernels.instance_norm_attention import normed, sums_over_tokens
from nnunet_skipx.kernels.per_scale import LAYER_NORM_EPS
from nnunet_skipx.skips.per_image import PerImage

WIDER = 4  # hidden features of the MLP per channel
FEW_TOKENS = 0.6  # per channel of all skips: up to here queries, keys and values cost less than products of channels


class CrossAttention(nn.Module):
    """Channels of each skip attend to the channels of all skips, in several heads whose mean is taken.

    With Q_i = T_i W_Qi, K = T W_K and V = T W_V per head, T the tokens of all skips side by side, a head is
    `softmax(IN(Q_i^T K / sqrt(C))) V^T`; the norm is over the scores of one skip and head.

    Args:
        channels: of the skips, C in all.
        heads: heads, each with projections of its own, from all channels to as many.
    """

    def __init__(self, channels: Sequence[int], heads: int) -> None:
        super().__init__()
        self.channels, total = list(channels), sum(channels)
        self.queries = nn.ParameterList(xavier(heads, c) for c in channels)
        self.key = xavier(heads, total)
        self.value = xavier(heads, total)
        self.chosen = PerImage()

    def forward(self, own: Sequence[torch.Tensor], joint: torch.Tensor) -> torch.Tensor:
        """`(B, n, C)` of the skips' normed tokens, `(B, n, C_i)` each, and of those of all, normed as one, `(B, n, C)`.

        Products are in the cheaper order: with many tokens, queries, keys and values need not be made. Scores are
        `W_Q^T (T_i^T T) W_K`, and what they weigh is `T (A W_V^T)^T`, with one sum over tokens for all heads in both.
        """
        tokens, total = joint.shape[1:]
        if tokens <= FEW_TOKENS * total:
            keys = project(joint, self.key)
            scores = [sums_over_tokens(project(t, w), keys) for t, w in zip(own, self.queries, strict=True)]
            weights = self.weights(scores, total**-0.5).to(keys.dtype)
            return (project(joint, self.value) @ weights.mT).mean(0)
        # Means instead of sums, so that half precision holds them whatever the number of tokens.
        products = sums_over_tokens(torch.cat(list(own), 2), joint) / tokens
        rows = project(products, self.key).split(self.channels, 2)
        scores = [w.mT[:, None] @ r for w, r in zip(self.queries, rows, strict=True)]
        weights = self.weights(scores, tokens * total**-0.5)
        mixing = torch.bmm(weights.flatten(1, 2), self.value.mT).mean(0).unflatten(0, (-1, total))
        return joint @ mixing.mT.to(joint.dtype)

    def weights(self, scores: Sequence[torch.Tensor], factor: float) -> torch.Tensor:
        """What channels pay to channels, `(heads, B, C, C)`, of `factor` times the scores of each skip."""
        attention = torch.softmax(torch.cat([normed(s, factor) for s in scores], 2), -1)
        chosen: torch.Tensor = self.chosen(attention.transpose(0, 1)).transpose(0, 1)
        return chosen

    def mean_queries(self, own: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Q_i, `(B, n, C_i)`, mean over the heads."""
        return [t @ w.mean(0).to(t.dtype) for t, w in zip(own, self.queries, strict=True)]


class CCTLayer(nn.Module):
    """`O_i = MCA_i + MLP(Q_i + MCA_i)`: cross attention, and an MLP per skip."""

    def __init__(self, channels: Sequence[int], heads: int) -> None:
        super().__init__()
        self.channels = list(channels)
        self.norms = nn.ModuleList(nn.LayerNorm(c, LAYER_NORM_EPS) for c in channels)
        self.joint_norm = nn.LayerNorm(sum(channels), LAYER_NORM_EPS)
        self.attention = CrossAttention(channels, heads)
        self.mlps = nn.ModuleList(mlp(c) for c in channels)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens of the same shape, `(B, n, C)`, those of all skips side by side."""
        own = [norm(t) for norm, t in zip(self.norms, tokens.split(self.channels, 2), strict=True)]
        fused = self.attention(own, self.joint_norm(tokens))
        parts = zip(self.mlps, self.attention.mean_queries(own), fused.split(self.channels, 2), strict=True)
        return fused + torch.cat([mlp(query + part) for mlp, query, part in parts], 2)


def project(x: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    """`x @ matrix` for every head, `(heads, B, r, C)`, of rows `(B, r, C)` and matrices `(heads, C, C)`."""
    return torch.bmm(x.flatten(0, 1).expand(len(matrices), -1, -1), matrices).unflatten(1, x.shape[:2])


def mlp(channels: int) -> nn.Sequential:
    """Layer norm, linear map to more features, GELU, linear map back."""
    hidden = WIDER * channels
    norm = nn.LayerNorm(channels, LAYER_NORM_EPS)
    return nn.Sequential(norm, nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, channels))


def xavier(heads: int, features: int) -> nn.Parameter:
    """A matrix per head, `(heads, features, features)`, rows in, columns out; each starts Xavier-uniform."""
    matrices = nn.Parameter(torch.empty(heads, features, features))
    for matrix in matrices:
        nn.init.xavier_uniform_(matrix)
    return matrices
