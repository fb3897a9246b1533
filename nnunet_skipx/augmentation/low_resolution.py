"""A lower resolution, simulated for all chosen channels at once, each with a zoom of its own."""

import functools

import torch
from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
from torch.nn import functional as F

from nnunet_skipx.augmentation.batch import Batch, Chosen
from nnunet_skipx.augmentation.rows import channels, drawn_numbers


def low_resolution(transform: SimulateLowResolutionTransform, batch: Batch, chosen: Chosen) -> None:
    """Fewer voxels, by nearest neighbours, and linear interpolation back.

    Both go along one axis after the other, so each voxel mixes two of each axis.
    """
    shape = batch.image.shape[2:]
    drawn = {
        place: torch.cat(
            [mixed(length, max(1, round(length * scale))) for length, scale in zip(shape, scales, strict=True)], 1
        )
        for place, (scales,) in drawn_numbers(chosen, "scales").items()
    }
    if not drawn:
        return
    with channels(batch, {place: numbers.flatten().tolist() for place, numbers in drawn.items()}) as (image, numbers):
        result = image
        table = numbers.view(3, -1, len(image)).transpose(1, 2)  # (3, n, all axes' voxels)
        for axis, (first, second, share) in enumerate(table.split(shape, dim=2), start=1):
            along = [len(image)] + [1] * len(shape)
            along[axis] = -1
            both = (image_at(result, axis, places.long().view(along)) for places in (first, second))
            result = next(both).lerp_(next(both), share.reshape(along))
        image.copy_(result)


def image_at(image: torch.Tensor, axis: int, places: torch.Tensor) -> torch.Tensor:
    """Voxels of an image (n, *spatial) at places (n, 1, ..., length, ..., 1) along an axis."""
    return image.gather(axis, places.expand_as(image))


@functools.cache
def mixed(length: int, fewer: int) -> torch.Tensor:
    """(3, length): for each voxel the two that it mixes, and the second one's share."""
    kept = F.interpolate(torch.arange(length).float()[None, None], fewer, mode="nearest-exact")[0, 0]
    places = ((torch.arange(length) + 0.5) * (fewer / length) - 0.5).clamp(min=0)
    first = places.long().clamp(max=fewer - 1)
    return torch.stack([kept[first], kept[(first + 1).clamp(max=fewer - 1)], places - first])
