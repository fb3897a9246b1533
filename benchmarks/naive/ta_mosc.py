"""TA-MoSC as its definition reads: concatenate first, one pass of an expert per gate and choice.

Takes the parameters of our `TAMoSC`. The oracle of the equality tests and the yardstick of the cost benchmark.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.naive.image_level import amplified, running
from nnunet_skipx.kernels.resize import resize_linear
from nnunet_skipx.skips.gates import Routing
from nnunet_skipx.skips.ta_mosc import FUSING_STAGE, TAMoSC


def naive_ta_mosc(module: TAMoSC, features: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], Routing]:
    """Skips and routing of `module(features)`, `(B, C, *spatial)` each, computed the long way."""
    assert module.gates is not None, "the twin has no gates"
    size = features[FUSING_STAGE].shape[2:]
    everything = torch.cat([resize_linear(x, size) for x in features], 1)
    joined = module.fuse.conv(everything)
    fused = module.fuse.nonlin(module.fuse.norm(joined))
    seen = fused.flatten(2).mean(2) if module.level is None else naive_level(module, joined)
    routing = module.gates(seen)
    experts = [expert_layers(module, n) for n in range(module.experts.num_experts)]
    skips = []
    for gate, (docker, x) in enumerate(zip(module.dockers, features, strict=True)):
        mixture = mixture_of_gate(module, experts, fused, routing, gate)
        skip = docker.nonlin(docker.norm(docker.conv(mixture)))
        skips.append(resize_linear(skip, x.shape[2:]))
    return skips, routing


def naive_level(module: TAMoSC, joined: torch.Tensor) -> torch.Tensor:
    """What the gates see, `(B, embedding)`: batch norm with running statistics, activation, mean, amplified."""
    level, norm = module.level, module.fuse.norm
    assert level is not None
    axes = [0, *range(2, joined.ndim)]
    mean, square = running(level.moments, torch.stack([joined.mean(axes), joined.square().mean(axes)]))
    z = module.fuse.nonlin(F.batch_norm(joined, mean, square - mean**2, norm.weight, norm.bias, eps=norm.eps))
    return amplified(level.amplified, z.flatten(2).mean(2))


def mixture_of_gate(
    module: TAMoSC, experts: Sequence[nn.Sequential], fused: torch.Tensor, routing: Routing, gate: int
) -> torch.Tensor:
    """What one gate mixes, `(B, embedding, *spatial)`: every expert runs on the rows routed to it."""
    top_k = routing.indices.shape[2]
    rows = fused.repeat_interleave(top_k, 0)  # sample 0 slot 0, sample 0 slot 1, ..., sample 1 slot 0, ...
    choice = routing.indices[:, gate].flatten()
    outputs = torch.zeros_like(rows)
    batch_norm = module.training and isinstance(module.experts.norm, nn.modules.batchnorm._BatchNorm)
    drawn = torch.randint(len(fused), (len(experts),)) if batch_norm else None
    for n, expert in enumerate(experts):
        mine = (choice == n).nonzero()[:, 0]
        if len(mine):
            outputs = outputs.index_add(0, mine, expert(rows[mine]))
        elif drawn is not None:
            outputs = outputs.index_add(0, drawn[n : n + 1], expert(rows[drawn[n : n + 1]]))
    weighted = outputs * routing.weights[:, gate].flatten().view(-1, *[1] * (fused.ndim - 1))
    return weighted.unflatten(0, (-1, top_k)).sum(1)


def expert_layers(module: TAMoSC, n: int) -> nn.Sequential:
    """One expert as a sequence of layers that share their values (and batch norm buffers) with our stacked ones."""
    ours = module.experts

    def share(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.unflatten(0, (ours.num_experts, -1))[n]

    def convolution(conv: nn.Module) -> "SharedConv":
        return SharedConv(share(conv.weight), share(conv.bias))

    return nn.Sequential(
        convolution(ours.expand),
        convolution(ours.transform),
        SharedNorm(ours.norm, share),
        ours.nonlin,
        convolution(ours.project),
    )


class SharedConv(nn.Module):
    """A 1x1 convolution with given weight and bias."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.tensors = (weight, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (F.conv3d if x.ndim == 5 else F.conv2d)(x, *self.tensors)


class SharedNorm(nn.Module):
    """Instance or batch norm over one expert's share of the channels of a norm."""

    def __init__(self, norm: nn.Module, share: object) -> None:
        super().__init__()
        self.norm, self.share = norm, share
        self.training = norm.training

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        norm, share = self.norm, self.share
        weight, bias = share(norm.weight), share(norm.bias)
        if norm.running_mean is None:
            return F.instance_norm(x, weight=weight, bias=bias, eps=norm.eps)
        mean, var = share(norm.running_mean), share(norm.running_var)
        return F.batch_norm(x, mean, var, weight, bias, norm.training, norm.momentum, norm.eps)
