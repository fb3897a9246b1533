"""Layers with parameters of their own for each of S token lists of one length, evaluated side by side."""

import torch
from torch import nn
from torch.nn import functional as F

LAYER_NORM_EPS = 1e-6


class ScaleLinear(nn.Module):
    """One linear map per scale: `(S, B, n, d_in)` to `(S, B, n, d_out)`; each starts Xavier-uniform."""

    def __init__(self, scales: int, features_in: int, features_out: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(scales, features_out, features_in))
        self.bias = nn.Parameter(torch.empty(scales, features_out)) if bias else None
        for weight in self.weight:
            nn.init.xavier_uniform_(weight)
        if self.bias is not None:
            nn.init.normal_(self.bias, std=1e-6)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """`tokens[s] @ weight[s].T + bias[s]`."""
        x, weight = tokens.flatten(1, 2), self.weight.mT
        y = torch.bmm(x, weight) if self.bias is None else torch.baddbmm(self.bias[:, None], x, weight)
        return y.unflatten(1, tokens.shape[1:3])


class ScaleNorm(nn.Module):
    """One layer norm (eps 1e-6) per scale over the features of `(S, B, n, d)`."""

    def __init__(self, scales: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(scales, features))
        self.bias = nn.Parameter(torch.zeros(scales, features))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens of the same shape."""
        normed = F.layer_norm(tokens, tokens.shape[-1:], eps=LAYER_NORM_EPS)
        return torch.addcmul(self.bias[:, None, None], normed, self.weight[:, None, None])
