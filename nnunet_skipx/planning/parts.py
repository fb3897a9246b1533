"""The parts of a training step's memory, by name."""

import re
from collections.abc import Iterator

from torch import nn

WEIGHTS = "weights"
GRADIENTS = "gradients"
OPTIMISER = "optimiser state"
BATCH = "batch and targets"
MECHANISM = "skips (the mechanism)"
BETWEEN = "between the stages"
LOSS = "loss"
BACKWARD = "temporaries of the backward pass"
STAGE = re.compile(r"(encoder)\.stages\.(\d+)|(decoder)\.(?:stages|transpconvs|ups|seg_layers)\.(\d+)")


def named_parts(network: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Every module that belongs to a part of the network, with that part's name; stage 0 has full resolution."""
    names = [name for name, _ in network.named_modules()]
    decoder_stages = sum(re.fullmatch(r"decoder\.stages\.\d+", name) is not None for name in names)
    for name, module in network.named_modules():
        if match := STAGE.match(name):
            encoder, stage, decoder, position = match.groups()
            level = int(stage) if encoder else decoder_stages - 1 - int(position)
            yield module, f"{encoder or decoder} stage {level}"
        elif name.startswith("encoder.stem"):
            yield module, "encoder stem"
        elif name.startswith("skips"):
            yield module, MECHANISM
