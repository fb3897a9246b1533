"""The gates of TA-MoSC: one routing decision per sample and skip, and the loss that keeps the experts in balance."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import nn

from nnunet_skipx.skips.blocks import refuse_unknown
from nnunet_skipx.skips.per_image import PerImage

RoutingKind = Literal["top_k", "constant", "uniform", "fixed"]


@dataclass(frozen=True)
class MixtureOptions:
    """How TA-MoSC is built; the defaults are the source's.

    Args:
        embedding: channels of the fused map, m.
        num_experts: experts, N.
        top_k: experts that a gate chooses per sample, K.
        hidden_rate: an expert's width in multiples of the embedding.
        routing: "top_k"; for twins "constant": gates learn one choice for all images; "uniform": no gates, every
            expert has the same weight; or "fixed": no gates, skip k takes expert k (modulo N).

    Raises:
        ValueError: more experts to choose than there are, or none; or a routing that does not exist.
    """

    embedding: int = 64
    num_experts: int = 4
    top_k: int = 2
    hidden_rate: int = 2
    routing: RoutingKind = "top_k"

    def __post_init__(self) -> None:
        refuse_unknown("routing", self.routing, ("top_k", "constant", "uniform", "fixed"))
        if self.has_gates and not 1 <= self.top_k <= self.num_experts:
            raise ValueError(f"top_k must lie between 1 and num_experts = {self.num_experts}, got {self.top_k}")

    @property
    def has_gates(self) -> bool:
        """Whether gates choose the experts."""
        return self.routing in ("top_k", "constant")


class Routing(NamedTuple):
    """What the gates decided for a batch of B samples, G gates, N experts, K of them chosen."""

    probabilities: torch.Tensor  # (B, G, N), softmax over all experts
    top_probabilities: torch.Tensor  # (B, G, K), largest first
    indices: torch.Tensor  # (B, G, K)
    weights: torch.Tensor  # (B, G, K), softmax over the K probabilities

    def mixing_weights(self) -> torch.Tensor:
        """The weights spread over all experts, `(B, G, N)`, zero where an expert was not chosen."""
        return torch.zeros_like(self.probabilities).scatter(-1, self.indices, self.weights)

    def selected(self) -> torch.Tensor:
        """1 where an expert was chosen, else 0, `(B, G, N)`."""
        return torch.zeros_like(self.probabilities).scatter(-1, self.indices, 1.0)


class Gates(nn.Module):
    """G independent top-K gates over N experts, fed with means of the fused map (UTANet, section "TA-MoSC").

    No bias and no noise. The weights of the chosen experts are a second softmax, over their K probabilities.
    """

    def __init__(self, num_gates: int, options: MixtureOptions) -> None:
        super().__init__()
        self.top_k = options.top_k
        self.weight = nn.Parameter(torch.empty(num_gates, options.embedding, options.num_experts))
        bound = (6 / (options.embedding + options.num_experts)) ** 0.5
        nn.init.uniform_(self.weight, -bound, bound)
        self.chosen = PerImage()

    def forward(self, pooled: torch.Tensor) -> Routing:
        """Route from what was pooled over each image, `(B, embedding)`, in at least float32."""
        # A product and a sum instead of a matrix product: autocast would run the latter in half precision.
        scores = (pooled[:, None, :, None] * self.weight[None]).sum(2)
        probabilities = self.chosen(torch.softmax(scores, -1))
        top_probabilities, indices = probabilities.topk(self.top_k, dim=-1)
        return Routing(probabilities, top_probabilities, indices, torch.softmax(top_probabilities, -1))


def balance_loss(usage: torch.Tensor) -> torch.Tensor:
    """Balanced expert utilisation: squared variation of the experts' usage, summed over the gates (UTANet, BEU loss).

    `usage` is the sum over the batch of the full softmax probabilities, `(G, N)`. The variance is the unbiased one;
    a single expert cannot be out of balance and gives 0.
    """
    if usage.shape[-1] == 1:
        return usage.sum() * 0.0
    return (usage.var(-1) / (usage.mean(-1).square() + 1e-10)).sum()
