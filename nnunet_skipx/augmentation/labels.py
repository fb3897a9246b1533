"""Labels at points between voxels: the one with the largest interpolated indicator, as batchgeneratorsv2 has it."""
from itertools import product

import torch
from torch.nn import functional as F

SCALE = 1000  # batchgeneratorsv2 finds ties among scores in 16 bits, of which 1 is 1000


class Labels:
    """Labels (n, C, *spatial), integers, that can be asked for at points between voxels; beyond them is `outside`.

    Of several labels with the largest score the nearest voxel's wins if it is one of them, else the lowest.
    """

    def __init__(self, labels: torch.Tensor, outside: int) -> None:
        self.channels = labels.shape[1]
        self.padded = F.pad(labels.flatten(0, 1), [1, 1] * (labels.ndim - 2), value=outside)  # (n * C, *padded)
        # A GPU votes everywhere, because the host would have to wait for the answer.
        self.settled = uniform_blocks(self.padded).flatten() if labels.device.type == "cpu" else None

    def at(self, grid: torch.Tensor) -> torch.Tensor:
        """(n, C, *patch) at the points of a grid (n, *patch, d), as of torch's `affine_grid`."""
        places = self.places(grid)
        first = self.lowest_corners(places)
        if self.settled is None:
            found = self.voted(first, places)
        else:
            found = self.padded.flatten().index_select(0, first)
            unsettled = (~self.settled.index_select(0, first)).nonzero()[:, 0]
            found[unsettled] = self.voted(first[unsettled], places.index_select(1, unsettled))
        return found.view(len(grid), self.channels, *grid.shape[1:-1])

    def places(self, grid: torch.Tensor) -> torch.Tensor:
        """(d, N): where a grid's points lie in the padded volumes, in voxels; N: of all samples' channels."""
        places = grid.new_empty((grid.shape[-1], grid[..., 0].numel()))
        for axis, length in enumerate(self.padded.shape[1:]):
            place = torch.mul(grid[..., -1 - axis], length / 2 - 1, out=places[axis].view(grid.shape[:-1]))
            place.add_((length - 1) / 2).clamp_(0, length - 1)
        return places.unflatten(1, (len(grid), 1, -1)).expand(-1, -1, self.channels, -1).flatten(1)

    def lowest_corners(self, places: torch.Tensor) -> torch.Tensor:
        """(N): flat index of the lowest of the voxels around each place."""
        starts = torch.arange(0, self.padded.numel(), self.padded.stride(0), device=places.device)
        first = starts.repeat_interleave(places.shape[1] // len(starts))
        for x, length, stride in zip(places, self.padded.shape[1:], self.padded.stride()[1:], strict=True):
            first.add_(x.long().clamp_(max=length - 2), alpha=stride)
        return first

    def voted(self, first: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """The labels that win at N places (d, N), which are used up; first: `lowest_corners`."""
        volume, strides = self.padded.flatten(), self.padded.stride()[1:]
        nearest = first
        for x, length, stride in zip(places, self.padded.shape[1:], strides, strict=True):
            lowest = x.floor().clamp_(max=length - 2)
            nearest = nearest.add(x.sub(1).round_() >= lowest, alpha=stride)  # halves go where grid_sample's do
            x.sub_(lowest)
        steps = [sum(map(int.__mul__, corner, strides)) for corner in product((0, 1), repeat=len(strides))]
        around = volume[: len(volume) - steps[-1]]
        labels = torch.stack([volume[step:][: len(around)].index_select(0, first) for step in steps])
        scores = united(labels, corner_weights(places)).mul_(SCALE).half()
        wins = scores == scores.amax(0)
        likely = volume.index_select(0, nearest)
        smallest = labels.masked_fill(~wins, torch.iinfo(labels.dtype).max).amin(0)
        return torch.where((wins & (labels == likely)).any(0), likely, smallest)


def corner_weights(fractions: torch.Tensor) -> torch.Tensor:
    """(2^d, N): the weights of the voxels around a place (d, N), the first axis changing slowest."""
    sides = torch.stack([1 - fractions, fractions])
    weights = sides[:, 0]
    for axis in range(1, len(fractions)):
        weights = (weights[:, None] * sides[:, axis]).flatten(0, 1)
    return weights


def united(labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """weights (corners, N), changed so that the first corner with a label has the weight of all that have it."""
    for corner in range(len(labels) - 1):
        others = weights[corner + 1 :]
        same = others * (labels[corner + 1 :] == labels[corner])
        others.sub_(same)
        weights[corner].add_(same.sum(0))
    return weights


def uniform_blocks(labels: torch.Tensor) -> torch.Tensor:
    """For each voxel of (n, *spatial) whether it and the next along all axes have one label; False at an axis's end."""
    uniform = torch.ones_like(labels, dtype=torch.bool)
    for axis, length in enumerate(labels.shape[1:], start=1):
        here, there = (labels.narrow(axis, start, length - 1) for start in (0, 1))
        both = uniform.narrow(axis, 0, length - 1) & uniform.narrow(axis, 1, length - 1)
        uniform.narrow(axis, 0, length - 1).copy_(both.logical_and_(here == there))
        uniform.narrow(axis, length - 1, 1).fill_(False)
    return uniform
