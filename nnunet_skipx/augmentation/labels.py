"""Labels at points between voxels: the one with the largest interpolated indicator, as batchgeneratorsv2 has it."""
from functools import reduce
from itertools import product

import torch
from torch.nn import functional as F

SLABS = 2  # of a patch, one after the other, which bounds the memory
SCALE = 1000  # batchgeneratorsv2 finds ties among scores in 16 bits, of which 1 is 1000


def resampled_labels(labels: torch.Tensor, grid: torch.Tensor, outside: int) -> torch.Tensor:
    """labels (channels, *spatial) at the points of a grid of `affine_grid` (*patch, d); integers.

    Of several labels with the largest score the nearest voxel's wins if it is one of them, else the lowest. Beyond
    the image everything is `outside`.
    """
    found = labels.new_empty((len(labels), *grid.shape[:-1]))
    rows = -(-len(grid) // SLABS)
    for channel, result in zip(labels, found, strict=True):
        volume = F.pad(channel, [1, 1] * channel.ndim, value=outside)
        # A GPU votes everywhere, because the host would have to wait for the answer.
        settled = uniform_blocks(volume).flatten() if volume.device.type == "cpu" else None
        for points, part in zip(grid.split(rows), result.split(rows), strict=True):
            part.copy_(at_places(volume, padded_places(points, channel.shape), settled).view(part.shape))
    return found


def padded_places(grid: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """(d, N): where a grid's points lie in an image of this shape with one voxel more on each side."""
    axes = [grid[..., -1 - axis].flatten() for axis in range(len(shape))]
    return torch.stack([(x * (n / 2) + (n - 1) / 2).clamp_(-1, n).add_(1) for x, n in zip(axes, shape, strict=True)])


def at_places(volume: torch.Tensor, places: torch.Tensor, settled: torch.Tensor | None) -> torch.Tensor:
    """The labels of a padded volume at N places (d, N); settled: what `uniform_blocks` says, flat, if asked."""
    first = torch.zeros((), dtype=torch.long, device=places.device)
    for x, length, stride in zip(places, volume.shape, volume.stride(), strict=True):
        first = x.long().clamp_(max=length - 2).mul_(stride).add_(first)  # of the voxels around
    if settled is None:
        return voted(volume, first, places)
    found = volume.flatten().index_select(0, first)
    unsettled = (~settled.index_select(0, first)).nonzero()[:, 0]
    found[unsettled] = voted(volume, first[unsettled], places.index_select(1, unsettled))
    return found


def uniform_blocks(volume: torch.Tensor) -> torch.Tensor:
    """For each voxel whether it and the next ones along all axes have one label; False at the end of an axis."""
    uniform = torch.ones_like(volume, dtype=torch.bool)
    for axis, length in enumerate(volume.shape):
        here, there = (volume.narrow(axis, start, length - 1) for start in (0, 1))
        both = uniform.narrow(axis, 0, length - 1) & uniform.narrow(axis, 1, length - 1)
        uniform.narrow(axis, 0, length - 1).copy_(both.logical_and_(here == there))
        uniform.narrow(axis, length - 1, 1).fill_(False)
    return uniform


def voted(volume: torch.Tensor, first: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """The labels that win at N places (d, N); first: flat index of the lowest voxel around each."""
    lowest = [x.floor().clamp_(max=length - 2) for x, length in zip(places, volume.shape, strict=True)]
    fractions = places - torch.stack(lowest)
    corners = list(product((0, 1), repeat=volume.ndim))
    steps = [sum(bit * stride for bit, stride in zip(corner, volume.stride(), strict=True)) for corner in corners]
    labels = torch.stack([volume.flatten().index_select(0, first + step) for step in steps])
    sides = (1 - fractions, fractions)
    weights = torch.stack([reduce(torch.mul, [sides[bit][axis] for axis, bit in enumerate(corner)])
                           for corner in corners])  # fmt: skip
    scores = torch.stack([(weights * (labels == label)).sum(0).mul_(SCALE).half() for label in labels])
    best = scores.amax(0)
    smallest = labels.masked_fill(scores < best, torch.iinfo(labels.dtype).max).amin(0)
    is_next = (places.round() > places - fractions).long()  # whether the nearest voxel is the next along an axis
    nearest = sum(step << (volume.ndim - 1 - axis) for axis, step in enumerate(is_next))[None]
    return torch.where(scores.gather(0, nearest)[0] == best, labels.gather(0, nearest)[0], smallest)
