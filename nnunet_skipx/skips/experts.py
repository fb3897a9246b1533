"""The experts of TA-MoSC: each is conv 1x1, conv 1x1, norm, activation, conv 1x1; gates mix their outputs."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from nnunet_skipx.kernels.pointwise import conv1x1, conv1x1_norm_nonlin
from nnunet_skipx.kernels.precision import at_least_float32
from nnunet_skipx.kernels.voxel_products import multiply_voxels
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.gates import MixtureOptions, Routing


class Experts(nn.Module):
    """N experts over one fused map, evaluated once per sample and mixed once per gate (UTANet, section "TA-MoSC").

    The experts lie side by side as groups of one convolution. The two convolutions in a row are linear, so their
    product is formed from the weights and only its output is computed. With instance norm an expert's output does
    not depend on who else is in the batch, so one evaluation serves every gate. With batch norm it does, in
    training: see `routed_experts`.
    """

    def __init__(self, ops: BlockOps, options: MixtureOptions) -> None:
        super().__init__()
        embedding, num_experts = options.embedding, options.num_experts
        hidden = options.hidden_rate * embedding
        self.num_experts = num_experts
        self.expand = ops.conv1x1(embedding, num_experts * hidden)
        self.transform = ops.conv1x1(num_experts * hidden, num_experts * hidden, groups=num_experts)
        self.norm = ops.norm(num_experts * hidden)
        self.nonlin = ops.nonlin()
        self.project = ops.conv1x1(num_experts * hidden, num_experts * embedding, groups=num_experts)

    def forward(self, fused: torch.Tensor, routing: Routing | None) -> torch.Tensor:
        """Mixtures `(B, G, embedding, *spatial)` of the fused map `(B, embedding, *spatial)`.

        Without a routing all experts count alike and G is 1.
        """
        weight, bias = self.joined_convolutions()
        if routing is not None and self.training and isinstance(self.norm, _BatchNorm):
            return self.routed(conv1x1(fused, weight, bias), routing)
        outputs = self.outputs(conv1x1_norm_nonlin(fused, weight, bias, self.norm, self.nonlin))
        return outputs.mean(1, keepdim=True) if routing is None else mix(routing.mixing_weights(), outputs)

    def one_each(self, fused: torch.Tensor, skips: int) -> torch.Tensor:
        """Mixtures as `forward`, unmixed: skip k takes expert k, modulo N."""
        outputs = self.outputs(conv1x1_norm_nonlin(fused, *self.joined_convolutions(), self.norm, self.nonlin))
        return torch.stack([outputs[:, k % self.num_experts] for k in range(skips)], 1)

    def joined_convolutions(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weight `(N * hidden, embedding)` and bias of the two convolutions before the norm as one."""
        first = self.expand.weight.flatten(1).unflatten(0, (self.num_experts, -1))
        second = self.transform.weight.flatten(1).unflatten(0, (self.num_experts, -1))
        bias = second @ self.expand.bias.view(self.num_experts, -1, 1)
        return (second @ first).flatten(0, 1), bias.flatten() + self.transform.bias

    def outputs(self, hidden: torch.Tensor) -> torch.Tensor:
        """The experts' outputs `(B, N, embedding, *spatial)` from their maps behind the activation."""
        batch, experts = len(hidden), self.num_experts
        weight = self.project.weight.flatten(1).unflatten(0, (experts, -1))
        bias = self.project.bias.view(experts, -1, 1)
        grouped = hidden.flatten(2).unflatten(1, (experts, -1)).flatten(0, 1)  # (B * N, hidden, P)
        projected = multiply_voxels(weight.repeat(batch, 1, 1), grouped, bias.repeat(batch, 1, 1))
        return projected.unflatten(0, (batch, experts)).unflatten(3, hidden.shape[2:])

    def routed(self, hidden: torch.Tensor, routing: Routing) -> torch.Tensor:
        """Batch norm in training, as in the source: per gate, an expert normalises over the samples routed to it.

        An expert that no sample chose runs on a random sample instead and is added to that sample's choice, so every
        expert gets a gradient (SPEC 1.3). Under DDP the statistics are those of the process's own samples.
        """
        mixtures = []
        for gate in range(routing.indices.shape[1]):
            weights, seen = fill_unused_experts(routing, gate)
            activated = self.nonlin(self.batch_norm_over(hidden, seen))
            mixtures.append(mix(weights[:, None], self.outputs(activated)))
        return torch.cat(mixtures, 1)

    def batch_norm_over(self, hidden: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """Batch norm of `hidden` with statistics over the samples that each expert sees, `seen` `(B, N)` of 0 and 1."""
        norm = self.norm
        assert isinstance(norm, _BatchNorm) and norm.momentum is not None
        assert norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None
        values = at_least_float32(hidden).flatten(2)  # (B, N * hidden, P)
        mask = seen.to(values.dtype).repeat_interleave(values.shape[1] // self.num_experts, 1)[..., None]
        count = mask.sum(0) * values.shape[2]
        mean = (mask * values).sum((0, 2))[:, None] / count
        variance = (mask * (values - mean).square()).sum((0, 2))[:, None] / count
        with torch.no_grad():
            norm.num_batches_tracked.add_(1)
            norm.running_mean.lerp_(mean[:, 0].to(norm.running_mean.dtype), norm.momentum)
            unbiased = variance * count / (count - 1)
            norm.running_var.lerp_(unbiased[:, 0].to(norm.running_var.dtype), norm.momentum)
        normalised = (values - mean) * torch.rsqrt(variance + norm.eps) * norm.weight[:, None] + norm.bias[:, None]
        return normalised.to(hidden.dtype).view_as(hidden)


def mix(weights: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
    """Weighted sums of expert outputs: `(B, G, N)` and `(B, N, c, *spatial)` to `(B, G, c, *spatial)`."""
    return multiply_voxels(weights, outputs.flatten(2)).unflatten(2, outputs.shape[2:])


def fill_unused_experts(routing: Routing, gate: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Mixing weights and who-sees-whom, both `(B, N)`, of one gate after giving unused experts a random sample.

    The routed list has K rows per sample; the source draws the row among the first B only.
    """
    weights, selected = routing.mixing_weights()[:, gate], routing.selected()[:, gate]
    batch, experts = weights.shape
    top_k = routing.indices.shape[2]
    row = torch.randint(batch, (experts,), device=weights.device)
    sample, slot = row // top_k, row % top_k
    drawn = F.one_hot(sample, batch).T.to(weights.dtype)
    drawn_weight = routing.weights[sample, gate, slot]
    unused = selected.sum(0) == 0
    return torch.where(unused, drawn * drawn_weight, weights), torch.where(unused, drawn, selected)
