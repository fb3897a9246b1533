"""Images of any size for networks whose strides divide the size of nnU-Net's patches only."""

import functools
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch.nn import functional as F

Logits = torch.Tensor | list[torch.Tensor]


def any_size(forward: Callable[[Any, torch.Tensor], Logits]) -> Callable[[Any, torch.Tensor], Logits]:
    """A network's forward pass for images that its strides do not divide.

    Their last voxels are repeated up to a size that they do, and the logits are cropped. nnU-Net's patches always fit:
    nothing changes for them. Without it a map that was enlarged again is larger than its skip, and some networks resize
    it without a word.
    """

    @functools.wraps(forward)
    def at_any_size(network: Any, x: torch.Tensor) -> Logits:
        size = x.shape[2:]
        steps = [prod(strides) for strides in zip(*network.encoder.strides, strict=True)]
        missing = [-n % step for n, step in zip(size, steps, strict=True)]
        if not any(missing):
            return forward(network, x)
        behind = [n for axis in reversed(missing) for n in (0, axis)]
        padded = F.pad(x, behind, mode="replicate")
        logits = forward(network, padded)
        if isinstance(logits, list):
            return [cropped(y, size, padded.shape[2:]) for y in logits]
        return cropped(logits, size, padded.shape[2:])

    return at_any_size


def cropped(logits: torch.Tensor, size: Sequence[int], padded: Sequence[int]) -> torch.Tensor:
    """Of a map `(B, C, *spatial)` made from an image of `padded` voxels, what belongs to its first `size` voxels."""
    for axis, (voxels, before) in enumerate(zip(size, padded, strict=True), start=2):
        step = before // logits.shape[axis]
        logits = logits.narrow(axis, 0, -(-voxels // step))
    return logits
