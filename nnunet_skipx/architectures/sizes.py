"""Sizes of the maps within a network."""

from collections.abc import Sequence


def map_sizes(input_size: Sequence[int], strides: Sequence[Sequence[int]]) -> list[list[int]]:
    """Spatial sizes of the stages' maps in voxels for an image of `input_size` voxels; strides lead into each stage.

    >>> map_sizes((9, 8), [(1, 1), (2, 2), (2, 1)])
    [[9, 8], [5, 4], [3, 4]]
    """
    sizes, size = [], list(input_size)
    for stride in strides:
        size = [-(-n // s) for n, s in zip(size, stride, strict=True)]
        sizes.append(size)
    return sizes
