"""What the networks of a universal run share: the units' mixing convolutions, stage by stage."""

from collections.abc import Sequence
from typing import Any

import torch
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from nnunet_skipx.architectures import U2Net
from nnunet_skipx.architectures.u2net_parts import Decoder, Encoder


def units(encoder: Encoder, decoder: Decoder) -> dict[str, Any]:
    """The units of a network by names that count stages from the full resolution, so that other depths fit."""
    found: dict[str, Any] = {}
    stages: Any = encoder.stages
    for stage, blocks in enumerate(stages):
        for number, block in enumerate(blocks):
            found[f"encoder.{stage}.{number}.first"] = block.first
            found[f"encoder.{stage}.{number}.second"] = block.second
    found |= {f"down.{stage}": unit for stage, unit in enumerate(encoder.downs)}
    coarse_to_fine: Any = decoder.stages
    for position, convs in enumerate(coarse_to_fine):
        stage = len(coarse_to_fine) - 1 - position
        found[f"up.{stage}"] = decoder.ups[position]
        found |= {f"decoder.{stage}.{number}": unit for number, unit in enumerate(convs)}
    return found


def share(network: U2Net, deepest: U2Net) -> None:
    """Give `network` the mixing convolutions of `deepest`, the modules themselves, wherever both have the stage.

    What the two have of their own afterwards are stem, depthwise kernels, norms, residual adapters and heads.

    Raises:
        ValueError: convolutions of other shapes, or a stage that `deepest` lacks; names it.
    """
    theirs = units(deepest.encoder, deepest.decoder)
    for name, unit in units(network.encoder, network.decoder).items():
        if name not in theirs:
            raise ValueError(
                f"a universal run's deepest network has no {name}, which this network has: its plans have "
                "more stages or more convolutions per stage"
            )
        old, new = getattr(unit, unit.shared), getattr(theirs[name], unit.shared)
        if old.weight.shape != new.weight.shape:
            raise ValueError(
                f"{name} has weights of the shape {tuple(old.weight.shape)} here and "
                f"{tuple(new.weight.shape)} in the universal run, so it cannot be shared"
            )
        setattr(unit, unit.shared, new)


def shared_parameters(network: U2Net) -> list[nn.Parameter]:
    """The parameters that `share` shares."""
    found = units(network.encoder, network.decoder).values()
    return [p for unit in found for p in getattr(unit, unit.shared).parameters()]


def own_parameters(network: U2Net) -> dict[str, nn.Parameter]:
    """A domain's own parameters but the heads, by names that count stages from the full resolution."""
    found = {f"stem.{key}": p for key, p in network.encoder.stem.named_parameters()}
    for name, unit in units(network.encoder, network.decoder).items():
        found |= {f"{name}.{key}": p for key, p in unit.named_parameters() if key.split(".")[0] != unit.shared}
    return found


def begin_like(network: U2Net, domains: Sequence[U2Net]) -> None:
    """Copy a domain's own parameters, where the shapes agree, from the domain of which most do; not the heads.

    Trained shared weights expect the maps that trained adapters give them.
    """
    own = own_parameters(network)

    def fitting(domain: U2Net) -> dict[str, nn.Parameter]:
        theirs = own_parameters(domain)
        return {name: theirs[name] for name, p in own.items() if name in theirs and theirs[name].shape == p.shape}

    closest = max((fitting(domain) for domain in domains), key=lambda fit: sum(p.numel() for p in fit.values()))
    with torch.no_grad():
        for name, parameter in closest.items():
            own[name].copy_(parameter)


def shares_kernels(architecture_kwargs: dict[str, Any]) -> bool:
    """Whether the domains of such networks share full convolutions, and with them the size of kernels."""
    return architecture_kwargs.get("convolutions", "separable") != "separable" or "strided" in architecture_kwargs


def without_static_graph(network: nn.Module) -> nn.Module:
    """A network in DDP's wrapper that is not told that its graph stays the same.

    Such a wrapper would count, for good, how often each gradient comes in its first step, those of shared weights from
    other domains' steps among them, and wait for as many in every step.
    """
    if not isinstance(network, DistributedDataParallel) or not network.static_graph:
        return network
    return DistributedDataParallel(network.module, device_ids=network.device_ids)


def sharing_with(deepest: U2Net, build: Any) -> Any:
    """nnU-Net's `build_network_architecture`, sharing with `deepest` before nnU-Net compiles and wraps the network."""

    def build_network_architecture(
        plans_manager: PlansManager,
        configuration_manager: ConfigurationManager,
        num_input_channels: int,
        num_output_channels: int,
        enable_deep_supervision: bool = True,
    ) -> nn.Module:
        network = build(
            plans_manager, configuration_manager, num_input_channels, num_output_channels, enable_deep_supervision
        )
        share(network, deepest)
        return network

    return build_network_architecture
