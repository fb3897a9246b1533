"""Reaching into a trained network at inference: watch what its skips do, or cut one of them."""
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

Maps = list[torch.Tensor]


class RunningMean:
    """Mean of tensors of one shape, added up in float64 so that the number of patches costs no accuracy."""

    def __init__(self) -> None:
        self.total: torch.Tensor | None = None
        self.count = 0

    def add(self, total: torch.Tensor, count: int) -> None:
        """Take in the sum of `count` values."""
        total = total.to(torch.float64)
        self.total = total if self.total is None else self.total + total
        self.count += count

    def value(self) -> torch.Tensor:
        """The mean so far, in float64."""
        assert self.total is not None, "nothing was added"
        return self.total / self.count


@dataclass
class Observation:
    """What an intact network did so far; `observed` fills it in.

    maps: by stage, the bottleneck last: mean of each channel of the encoder's map, `(C,)`, over positions and patches.
    routing: by case, then by module: mean over patches of the mixing weights `(G, N)` of G gates over N experts.
    attention: by module: mean over patches of the shares `(S, S)` of attention that stages pay to stages.
    """

    maps: defaultdict[int, RunningMean] = field(default_factory=lambda: defaultdict(RunningMean))
    routing: defaultdict[str, dict[str, RunningMean]] = field(default_factory=lambda: defaultdict(dict))
    attention: defaultdict[str, RunningMean] = field(default_factory=lambda: defaultdict(RunningMean))

    def add_maps(self, maps: Maps) -> Maps:
        """Take in the encoder's maps `(B, C, *spatial)` of one forward pass, and return them untouched."""
        for stage, x in enumerate(maps):
            precision = torch.promote_types(x.dtype, torch.float32)  # summing in float64 would copy the whole map
            self.maps[stage].add(x.sum([0, *range(2, x.ndim)], dtype=precision), x.numel() // x.shape[1])
        return maps

    def add_module(self, case: str, name: str, module: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Take in what one module did, as a forward hook is told it.

        A module is known by what it can tell, not by its class: its output has `mixing_weights()`, `(B, G, N)`; or it
        has `attention_shares(*inputs)`, `(S, S)`, None where there is no attention.
        """
        if hasattr(output, "mixing_weights"):
            weights = output.mixing_weights()
            mean = self.routing[case].setdefault(name, RunningMean())
            mean.add(weights.sum(0), len(weights))
        if hasattr(module, "attention_shares") and (shares := module.attention_shares(*inputs)) is not None:
            self.attention[name].add(shares, 1)


@contextmanager
def observed(network: nn.Module, observation: Observation, case: str) -> Iterator[None]:
    """Inside, every forward pass of the network is one patch of `case` and adds to the observation.

    Raises:
        ValueError: a network whose encoder cannot be watched, see `encoder_maps_through`.
    """
    handles = [
        module.register_forward_hook(partial(observation.add_module, case, name))
        for name, module in network.named_modules()
    ]
    try:
        with encoder_maps_through(network, observation.add_maps):
            yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def skip_replaced(network: nn.Module, stage: int, channels: torch.Tensor) -> Iterator[None]:
    """Inside, the encoder's map of a stage is `channels`, `(C,)`, at every position, on every way to the decoder.

    The deeper stages of the encoder are still computed from the true map.

    Raises:
        ValueError: see `encoder_maps_through`.
    """

    def replace(maps: Maps) -> Maps:
        x = maps[stage]
        constant = torch.empty_like(x).copy_(channels.view(-1, *[1] * (x.ndim - 2)))
        return [*maps[:stage], constant, *maps[stage + 1 :]]

    with encoder_maps_through(network, replace):
        yield


@contextmanager
def encoder_maps_through(network: nn.Module, change: Callable[[Maps], Maps]) -> Iterator[None]:
    """Inside, the rest of the network gets `change(maps)` for the encoder's maps `(B, C, *spatial)`, stage 0 first.

    A network computes these maps by calling its `encoder`, or, where a mechanism reaches into the encoder, in a method
    `encode`.

    Raises:
        ValueError: a network that has neither, or whose encoder does not return a list of maps.
    """
    owner, name = (network, "encode") if hasattr(network, "encode") else (getattr(network, "encoder", None), "forward")
    if owner is None:
        raise ValueError(f"{type(network).__name__} has no encoder whose skips could be cut: inspect U-Nets only")
    compute = getattr(owner, name)

    def changed(*inputs: Any) -> Maps:
        maps = compute(*inputs)
        if not isinstance(maps, (list, tuple)):
            raise ValueError(f"the encoder of {type(network).__name__} returns no list of maps: inspect U-Nets only")
        return change(list(maps))

    setattr(owner, name, changed)
    try:
        yield
    finally:
        delattr(owner, name)  # the method of the class shows again
