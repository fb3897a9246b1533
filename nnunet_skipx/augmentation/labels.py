"""Labels at points between voxels: the one with the largest interpolated indicator, as batchgeneratorsv2 has it."""

import math
from itertools import product

import torch
from torch.nn import functional as F

from nnunet_skipx.augmentation.rows import on_device

BELOW = 1e-3  # so much below the last voxel's place, where it has all weight nevertheless, another one is next to it
Prepared = tuple[torch.Tensor, torch.Tensor | None]
SCALE = 1000  # batchgeneratorsv2 finds ties among scores in 16 bits, of which 1 is 1000


class Sampler:
    """Finds labels of batches of a shape (B, C, *spatial) at points between voxels; beyond, all is `outside`.

    Of several labels with the largest score the nearest voxel's wins if it is one of them, else the lowest.
    Images are padded by a voxel on each side.
    """

    def __init__(self, shape: torch.Size, outside: int, device: torch.device) -> None:
        self.outside, rows = outside, shape[:2].numel()
        lengths = [length + 2 for length in reversed(shape[2:])]  # last axis first, as in a grid
        sizes = on_device([[n / 2 - 1, (n - 1) / 2, 0, n - 1 - BELOW] for n in lengths], device)
        self.scale, self.middle, self.least, self.most = sizes.T[..., None].unbind()
        *self.strides, voxels = [math.prod(lengths[:axis]) for axis in range(len(lengths) + 1)]
        corners = product((0, 1), repeat=len(lengths))
        steps = [sum(map(int.__mul__, corner, self.strides)) for corner in corners]
        starts = [voxels * row for row in range(rows)]
        numbers = on_device(steps + starts, device, torch.int if rows * voxels < 2**31 else torch.long)[:, None]
        self.steps, self.starts = numbers.split([len(steps), rows])

    def prepared(self, labels: torch.Tensor) -> Prepared:
        """Integers (n, C, *spatial), padded, and where a block of voxels has one label, if that is worth asking for."""
        padded = F.pad(labels, [1, 1] * len(self.strides), value=self.outside)
        # A GPU votes everywhere, because the host would have to wait for the answer.
        return padded, uniform_blocks(padded).flatten() if labels.device.type == "cpu" else None

    def at(self, prepared: Prepared, grid: torch.Tensor) -> torch.Tensor:
        """(n, C, *patch) at the points of a grid (d, n, *patch) of `Grids`, which is used up."""
        padded, settled = prepared
        volume = padded.flatten()
        first, fractions = self.corners(grid, padded.shape[1])
        if settled is None:
            found = winners(self.around(volume, first), fractions)
        else:
            found = volume.index_select(0, first)
            votes = (~settled.index_select(0, first)).nonzero()[:, 0]
            found[votes] = winners(self.around(volume, first[votes]), fractions.index_select(1, votes))
        return found.view(*padded.shape[:2], *grid.shape[2:])

    def corners(self, grid: torch.Tensor, channels: int) -> tuple[torch.Tensor, torch.Tensor]:
        """For the N points in all channels: flat index of the lowest voxel around; (d, N) how far away that is."""
        places = grid.flatten(1)
        torch.addcmul(self.middle, places, self.scale, out=places).clamp_(self.least, self.most)
        parts = (places.to(self.starts.dtype), places.frac_())  # ahead of `expand`, after which channels share memory
        samples = grid.shape[1]
        lowest, fractions = (
            part.unflatten(1, (samples, 1, -1)).expand(-1, -1, channels, -1).flatten(1, 2) for part in parts
        )
        first = self.starts[: lowest.shape[1]]
        for axis, stride in zip(lowest, self.strides, strict=True):
            first = torch.add(first, axis, alpha=stride)
        return first.flatten(), fractions.flatten(1)

    def around(self, volume: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
        """(2^d, N): the labels of the voxels around, of which the lowest have these indices."""
        return volume.index_select(0, (first + self.steps).flatten()).view(len(self.steps), -1)


def winners(labels: torch.Tensor, fractions: torch.Tensor) -> torch.Tensor:
    """(N): of labels (2^d, N) around points the winning ones; fractions (d, N): the points' places in between."""
    nearest = labels.gather(0, corner_numbers(fractions > 0.5))[0]
    weights = corner_weights(fractions)
    for corner in range(len(labels) - 1):  # what a later one misses of its label's sum, the first one has
        alike = weights[corner:] * (labels[corner:] == labels[corner])
        torch.sum(alike, 0, out=weights[corner])
    scores = weights.mul_(SCALE).half()
    lost = scores < scores.amax(0)
    lowest = labels.masked_fill(lost, torch.iinfo(labels.dtype).max).amin(0)
    return torch.where(((labels == nearest) > lost).any(0), nearest, lowest)


def corner_weights(fractions: torch.Tensor) -> torch.Tensor:
    """(2^d, N): the weights of the voxels around points (d, N), the first axis changing slowest."""
    sides = torch.stack([1 - fractions, fractions])
    weights = sides[:, 0]
    for axis in range(1, len(fractions)):
        weights = (weights[:, None] * sides[:, axis]).flatten(0, 1)
    return weights


def corner_numbers(upper: torch.Tensor) -> torch.Tensor:
    """(1, N): the place in `corner_weights` of corners that are the upper ones along axes (d, N), or the lower ones."""
    number = upper[:1].long()
    for axis in upper[1:]:
        number = torch.add(axis, number, alpha=2)
    return number


def uniform_blocks(labels: torch.Tensor) -> torch.Tensor:
    """For each voxel of (n, C, *spatial) whether it and the next along all axes have one label; False at their ends."""
    uniform = torch.ones_like(labels, dtype=torch.bool)
    for axis, length in enumerate(labels.shape[2:], start=2):
        here, there = (labels.narrow(axis, start, length - 1) for start in (0, 1))
        both = uniform.narrow(axis, 0, length - 1) & uniform.narrow(axis, 1, length - 1)
        uniform.narrow(axis, 0, length - 1).copy_(both.logical_and_(here == there))
        uniform.narrow(axis, length - 1, 1).fill_(False)
    return uniform
