"""TA-MoSC under the names of UTANet's published state dictionary."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import nn

from nnunet_skipx.kernels.pointwise import spatial_mean
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.gates import MixtureOptions, balance_loss
from nnunet_skipx.skips.ta_mosc import TAMoSC

if TYPE_CHECKING:
    from tests.parity import Reference

BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


def build(reference: "Reference") -> TAMoSC:
    """Our module for the configuration in the file, batch norm and ReLU as in the source, in evaluation mode."""
    config = reference.meta["config"]
    flat = reference.values["in/e1"].ndim == 4
    ops = BlockOps(nn.Conv2d if flat else nn.Conv3d, nn.BatchNorm2d if flat else nn.BatchNorm3d, None, nn.ReLU, None)
    options = MixtureOptions(*(config[key] for key in ("emb", "num_experts", "top_k", "hidden_rate")))
    return TAMoSC(ops, config["channels"], options).double().eval()


def by_reference_name(module: TAMoSC, get: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, torch.Tensor]:
    """Views of `get(parameter)` under the reference's names; our experts are stacked, theirs are separate."""
    named: dict[str, torch.Tensor] = {}

    def add(name: str, layer: nn.Module, part: Callable[[torch.Tensor], torch.Tensor] = lambda x: x) -> None:
        for key in ("weight", "bias") if not hasattr(layer, "running_mean") else BATCH_NORM:
            named[f"{name}.{key}"] = part(get(getattr(layer, key)))

    add("fuse.0", module.fuse.conv)
    add("fuse.1", module.fuse.norm)
    assert module.gates is not None
    for gate in range(len(module.dockers)):
        named[f"moe.gate{gate + 1}"] = get(module.gates.weight)[gate]
    experts = module.experts
    layers = {0: experts.expand, 1: experts.transform, 2: experts.norm, 4: experts.project}
    for n in range(experts.num_experts):
        for position, layer in layers.items():
            add(f"moe.experts.{n}.seq.{position}", layer, lambda x, n=n: x.unflatten(0, (experts.num_experts, -1))[n])
    for k, docker in enumerate(module.dockers, start=1):
        add(f"docker{k}.0", docker.conv)
        add(f"docker{k}.1", docker.norm)
    return named


def copy_parameters(module: TAMoSC, reference: "Reference") -> None:
    """Copy every parameter of the file into our module; both must have the same names."""
    ours, theirs = by_reference_name(module, lambda p: p.detach()), reference.group("param")
    if ours.keys() != theirs.keys():
        raise ValueError(f"parameter names differ: {sorted(ours.keys() ^ theirs.keys())}")
    for name, value in theirs.items():
        ours[name].copy_(value)


def evaluate(reference: "Reference") -> dict[str, torch.Tensor]:
    """All outputs, intermediate values and gradients under the reference's keys."""
    module = build(reference)
    copy_parameters(module, reference)
    count = len(reference.meta["config"]["channels"])
    inputs = [reference.values[f"in/e{k}"].clone().requires_grad_() for k in range(1, count + 1)]
    skips, routing = module(inputs)
    loss = balance_loss(routing.probabilities.sum(0))
    values = {f"out64/o{k}": skip for k, skip in enumerate(skips, start=1)} | {"out64/loss": loss}
    fused = module.fuse.activate(module.fuse.convolve(inputs))
    mixtures = module.experts(fused, routing)
    values |= {"mid/fused": fused, "mid/pooled": spatial_mean(fused)}
    for gate in range(count):
        values |= {
            f"mid/gate{gate + 1}_probs": routing.probabilities[:, gate],
            f"mid/gate{gate + 1}_topk_prob": routing.top_probabilities[:, gate],
            f"mid/gate{gate + 1}_topk_idx": routing.indices[:, gate],
            f"mid/gate{gate + 1}_topk_weight": routing.weights[:, gate],
            f"mid/gate{gate + 1}_out": mixtures[:, gate],
            f"mid/gate{gate + 1}_loss": balance_loss(routing.probabilities[:, gate : gate + 1].sum(0)),
        }
    values |= gradients(module, inputs, loss, "grad_loss")
    return values | gradients(module, inputs, sum(skip.square().sum() for skip in skips) + loss, "grad")


def gradients(module: TAMoSC, inputs: list[torch.Tensor], loss: torch.Tensor, prefix: str) -> dict[str, torch.Tensor]:
    """Gradients of `loss` with respect to all parameters and inputs; zero where it does not depend on them."""
    leaves = [*module.parameters(), *inputs]
    found = torch.autograd.grad(loss, leaves, retain_graph=True, allow_unused=True)
    gradient = {id(p): torch.zeros_like(p) if g is None else g for p, g in zip(leaves, found, strict=True)}
    named = by_reference_name(module, lambda p: gradient.get(id(p), torch.zeros_like(p)))
    return {f"{prefix}/{name}": value for name, value in named.items()} | {
        f"{prefix}/in_e{k}": gradient[id(x)] for k, x in enumerate(inputs, start=1)
    }


CASES = {"utanet_tamosc": evaluate}
