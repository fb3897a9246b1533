"""Maps beside maps of few voxels that nearest-neighbour resizing would enlarge, without the enlarged ones."""

from collections.abc import Sequence

import torch


def multiply_blocks(x: torch.Tensor, blocks: torch.Tensor) -> torch.Tensor:
    """`x * nearest(blocks)`, blocks enlarged to the size of x by whole factors but never stored enlarged.

    Args:
        x: `(B, C, *spatial)`.
        blocks: `(B, C, *grid)`; grid divides spatial.
    """
    split, single = shapes_in_blocks(x.shape, blocks.shape)
    return (x.reshape(split) * blocks.reshape(single)).view(x.shape)


def add_blocks(x: torch.Tensor, blocks: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """`weights * (x + nearest(blocks))`; x and blocks as of `multiply_blocks`, weights `(B, C)` or none."""
    split, single = shapes_in_blocks(x.shape, blocks.shape)
    blocks = blocks.contiguous()  # else the sum may lie in memory as they do
    if weights is None:
        return (x.reshape(split) + blocks.reshape(single)).reshape(x.shape)
    factors = weights.to(x.dtype).view(*weights.shape, *[1] * (len(split) - 2))
    return torch.addcmul(blocks.reshape(single) * factors, x.reshape(split), factors).reshape(x.shape)


def shapes_in_blocks(size: Sequence[int], blocks: Sequence[int]) -> tuple[list[int], list[int]]:
    """Shapes of a map `(B, C, *spatial)` and of its blocks `(B, C, *grid)` with two axes, grid and inside, for each."""
    split, single = list(size[:2]), list(size[:2])
    for voxels, grid in zip(size[2:], blocks[2:], strict=True):
        split += [grid, voxels // grid]
        single += [grid, 1]
    return split, single
