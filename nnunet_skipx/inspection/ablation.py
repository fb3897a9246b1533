"""Reaching into a trained network at inference: watch what its skips and gates do, or cut one of its skips."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

Maps = list[torch.Tensor]


class MeanOfPatches:
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

    stages: number of maps that its encoder makes, the bottleneck's included; 0 if the encoder was never called.
    routing: by case, then by module: mean over patches of the mixing weights `(G, N)` of G gates over N experts.
    pairs: by module and gate: the sets of experts that were chosen for any patch, in UTANet pairs.
    gates: by module, then by case: mean over patches of the numbers `(n,)` that the module chose by the image.
    attention: by module: mean over patches of the shares `(S, S)` of attention that stages pay to stages.
    """

    stages: int = 0
    routing: defaultdict[str, dict[str, MeanOfPatches]] = field(default_factory=lambda: defaultdict(dict))
    pairs: defaultdict[tuple[str, int], set[tuple[int, ...]]] = field(default_factory=lambda: defaultdict(set))
    gates: defaultdict[str, dict[str, MeanOfPatches]] = field(default_factory=lambda: defaultdict(dict))
    attention: defaultdict[str, MeanOfPatches] = field(default_factory=lambda: defaultdict(MeanOfPatches))

    def count_maps(self, maps: Maps) -> Maps:
        """Take in how many maps `(B, C, *spatial)` the encoder makes, and return them untouched."""
        self.stages = len(maps)
        return maps

    def add_module(self, case: str, name: str, module: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Take in what one module did, as a forward hook is told it.

        A module is known by what it can tell, not by its class: its output has `mixing_weights()`, `(B, G, N)`; or it
        has `attention_shares(*inputs)`, `(S, S)`, None where there is no attention; or it has `chosen_by_image`, true
        where its output `(B, ...)` are numbers that a mechanism claims to choose by the image.
        """
        if hasattr(output, "mixing_weights"):
            self.add_routing(case, name, output.mixing_weights())
        if hasattr(module, "attention_shares") and (shares := module.attention_shares(*inputs)) is not None:
            self.attention[name].add(shares, 1)
        if getattr(module, "chosen_by_image", False):
            chosen = output.reshape(len(output), -1).sum(0, dtype=torch.float64)
            # Not left on the GPU: attention over channels is a large matrix, and there is one of every case.
            self.gates[name].setdefault(case, MeanOfPatches()).add(chosen.cpu(), len(output))

    def add_routing(self, case: str, name: str, weights: torch.Tensor) -> None:
        """Take in the mixing weights `(B, G, N)` of a module, 0 for experts that were not chosen."""
        self.routing[case].setdefault(name, MeanOfPatches()).add(weights.sum(0), len(weights))
        for gates in weights.tolist():
            for gate, row in enumerate(gates):
                self.pairs[name, gate].add(tuple(expert for expert, weight in enumerate(row) if weight > 0))

    def spreads(self) -> dict[str, float]:
        """By module of `gates` the SD over cases (divisor: all cases), mean over its numbers; NaN for a single case."""
        found = {}
        for name, cases in self.gates.items():
            means = torch.stack([mean.value() for mean in cases.values()])
            found[name] = float(means.std(0, correction=0).mean()) if len(means) > 1 else float("nan")
        return found


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
        with encoder_maps_through(network, observation.count_maps):
            yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def skip_zeroed(network: nn.Module, stage: int) -> Iterator[None]:
    """Inside, the encoder's map of a stage is 0 on every way to the decoder.

    The deeper stages of the encoder are still computed from the true map.

    Raises:
        ValueError: see `encoder_maps_through`.
    """

    def replace(maps: Maps) -> Maps:
        return [*maps[:stage], torch.zeros_like(maps[stage]), *maps[stage + 1 :]]

    with encoder_maps_through(network, replace):
        yield


@contextmanager
def skip_of_another(network: nn.Module, stage: int) -> Iterator[None]:
    """Inside, the encoder's map of a stage is another image's on every way to the decoder.

    The network, in evaluation mode, then takes `(B, 2 C, *spatial)`: the C channels of the image, then those of the
    other one. All else, the deeper stages of the encoder included, is computed from the image.

    Raises:
        ValueError: see `encoder_maps_through`.
    """
    encode, forward = getattr(*encoder_of(network)), network.forward
    donated: Maps = []

    def split(both: torch.Tensor) -> Any:
        image, other = both.chunk(2, 1)
        with torch.no_grad():
            donated[:] = [maps_of(network, encode(other))[stage]]
        return forward(image)

    with encoder_maps_through(network, lambda maps: [*maps[:stage], *donated, *maps[stage + 1 :]]):
        network.forward = split
        try:
            yield
        finally:
            del network.forward  # the method of the class shows again


@contextmanager
def encoder_maps_through(network: nn.Module, change: Callable[[Maps], Maps]) -> Iterator[None]:
    """Inside, the rest of the network gets `change(maps)` for the encoder's maps `(B, C, *spatial)`, stage 0 first.

    Raises:
        ValueError: see `encoder_of` and `maps_of`.
    """
    owner, name = encoder_of(network)
    compute = getattr(owner, name)
    setattr(owner, name, lambda *inputs: change(maps_of(network, compute(*inputs))))
    try:
        yield
    finally:
        delattr(owner, name)  # the method of the class shows again


def encoder_of(network: nn.Module) -> tuple[nn.Module, str]:
    """The module and the name of its method by which a network computes its encoder's maps.

    A network calls its `encoder`, or, where a mechanism reaches into the encoder, has a method `encode`.

    Raises:
        ValueError: a network that has neither.
    """
    if hasattr(network, "encode"):
        return network, "encode"
    if not isinstance(encoder := getattr(network, "encoder", None), nn.Module):
        raise ValueError(f"{type(network).__name__} has no encoder whose skips could be cut: inspect U-Nets only")
    return encoder, "forward"


def maps_of(network: nn.Module, computed: Any) -> Maps:
    """What an encoder returned, as a list; ValueError where it is no list or tuple of maps."""
    if not isinstance(computed, (list, tuple)):
        raise ValueError(f"the encoder of {type(network).__name__} returns no list of maps: inspect U-Nets only")
    return list(computed)
