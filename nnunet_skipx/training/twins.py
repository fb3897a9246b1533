"""Twins: a network without what it claims to gain from, made as large, or as costly, as the network itself.

A network that is better than nnU-Net's may be so because it is larger. Its twin has the same budget and lacks the
ingredient: what is left of the difference is due to the ingredient.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from nnunet_skipx.counting import forward_flops, parameters

Budget = Literal["parameters", "operations"]
CLOSE_ENOUGH = 0.005  # of the budget
STEPS = 6
FEWEST_TO_STEP = 5  # channels of a stage that may have one more or less


@dataclass(frozen=True)
class Ingredient:
    """One thing that a network claims to gain from, and how a twin does without it.

    noun: what a report calls it. removal: what is there instead, in words. network: arguments of the network. trainer:
    attributes of the trainer. resizes: whether the network has more or fewer parameters without it, so that the twin's
    widths make up for them. takes_along: other ingredients that cannot be there without it. families: what networks of
    other papers have, too, of `training.families`.
    """

    noun: str
    removal: str
    network: Mapping[str, Any] = field(default_factory=dict)
    trainer: Mapping[str, Any] = field(default_factory=dict)
    resizes: bool = False
    takes_along: tuple[str, ...] = ()
    families: tuple[str, ...] = ()


@dataclass(frozen=True)
class Twin:
    """What `_twin` does without: one or several of the trainer's ingredients, by name. Fields as of `Ingredient`.

    matches_operations: whether it has the network's operations, too, so that there is no other `_flopstwin`.
    """

    removes: tuple[str, ...]
    network: Mapping[str, Any]
    trainer: Mapping[str, Any] = field(default_factory=dict)
    resizes: bool = False
    matches_operations: bool = False


def count(network: nn.Module, budget: Budget, input_shape: Sequence[int]) -> int:
    """Parameters of a network on the meta device, or operations of its forward pass of `(B, C, *spatial)`."""
    return parameters(network) if budget == "parameters" else forward_flops(network.eval(), tuple(input_shape))


def scaled_widths(widths: Sequence[int], cost: Callable[[list[int]], float], budget: float) -> list[int]:
    """Features per stage, all times one factor, whose cost comes closest to the budget.

    Cost grows about with the square of the widths. Narrow networks have few whole widths near a factor, so the closest
    is tried with one channel more or less in each stage, too, unless that is a large part of the stage: a twin whose
    finest stage went from two channels to one would fail for a reason of its own.
    """
    tried: dict[tuple[int, ...], float] = {}

    def error(candidate: Sequence[int]) -> float:
        key = tuple([max(1, width) for width in candidate])
        if key not in tried:
            tried[key] = cost(list(key)) / budget - 1
        return tried[key]

    factor = 1.0
    for _ in range(STEPS):
        off = error([round(width * factor) for width in widths])
        factor *= (1 + off) ** -0.5
        if abs(off) < CLOSE_ENOUGH:
            break

    def closest() -> tuple[int, ...]:
        return min(tried.items(), key=lambda item: abs(item[1]))[0]

    start = closest()
    if abs(tried[start]) >= CLOSE_ENOUGH:
        stages = [stage for stage, width in enumerate(start) if width >= FEWEST_TO_STEP]
        for stage, step in itertools.product(stages, (-1, 1)):
            error([width + step * (n == stage) for n, width in enumerate(start)])
    return list(closest())
