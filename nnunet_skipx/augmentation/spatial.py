"""Rotation, scaling, elastic deformation: one resampling of what has any of them, a crop of what has none."""

import copy
import math

import torch
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
from batchgeneratorsv2.transforms.utils.cropping import crop_tensor
from torch.nn import functional as F

from nnunet_skipx.augmentation.batch import Batch
from nnunet_skipx.augmentation.elastic import displacements
from nnunet_skipx.augmentation.grids import Grids, Parameters
from nnunet_skipx.augmentation.labels import Sampler
from nnunet_skipx.augmentation.rows import Rows

# So many voxels of a batch allow for one point to be resampled at a time, because each takes 60 to 100 bytes meanwhile,
# a voxel 6; so the number of kernels is the same for all batches. Fewer points than 10 MB have room for save little.
VOXELS_PER_POINT = 24
FEWEST = 100_000


def spatial(transform: SpatialTransform, batch: Batch, elastic: bool = False) -> None:
    """nnU-Net's `SpatialTransform` on a batch whose patches are larger than `transform.patch_size`.

    elastic: deform every sample as well.
    """
    drawn = draw(transform, batch)
    size = tuple(map(int, transform.patch_size))
    resample(transform, batch, drawn, displacements(len(drawn), size, batch.noise) if elastic else None)


def draw(transform: SpatialTransform, batch: Batch) -> list[Parameters]:
    """`affine` (None for most) and `center_location_in_pixels` of each sample, drawn by the transform itself.

    Raises NotImplementedError for settings that nnU-Net does not use.
    """
    unusual = {
        "p_elastic_deform": transform.p_elastic_deform > 0,
        "mode_seg": transform.mode_seg != "bilinear",
        "align_corners": transform.align_corners,
        "padding_mode_image": transform.padding_mode_image != "zeros",
        "border_mode_seg": transform.border_mode_seg != "constant",
        "seg_tiebreak": transform.seg_tiebreak != "nearest",
    }
    if wrong := [name for name, is_unusual in unusual.items() if is_unusual]:
        raise NotImplementedError(
            f"SpatialTransform with another {wrong[0]} than nnU-Net's does not run on the "
            "device: use the trainer without _gpuaug"
        )
    small = copy.copy(transform)  # the grid, which it builds as well, would cost more than all else
    small.patch_size = (1,) * (batch.image.ndim - 2)
    small._grid_cache = {}
    image = batch.stand_in()
    return [small.get_parameters(image=image) for _ in range(len(batch.image))]


def resample(
    transform: SpatialTransform, batch: Batch, drawn: list[Parameters], shifts: torch.Tensor | None = None
) -> None:
    """Replace image and target by patches of `transform.patch_size`; shifts: (B, *patch, d) in voxels."""
    size = tuple(map(int, transform.patch_size))
    before = copy.copy(batch)
    batch.image = before.image.new_empty((*before.image.shape[:2], *size))
    batch.target = before.target.new_empty((*before.target.shape[:2], *size))
    outside = int(transform.padding_value_seg)
    moved = [i for i, parameters in enumerate(drawn) if parameters["affine"] is not None or shifts is not None]
    cut_out(before, batch, {i: parameters for i, parameters in enumerate(drawn) if i not in moved}, outside)
    if moved:
        if shifts is not None:
            shifts = Rows(moved, shifts.device).of(shifts)
        grids = Grids([drawn[i] for i in moved], before.image.shape[2:], size, batch.image.device, shifts)
        sampler = Sampler(before.target.shape, outside, before.target.device)
        together = max(1, at_once(before.image) // math.prod(size))
        for start in range(0, len(moved), together):
            interpolate(before, batch, moved, slice(start, start + together), grids, sampler)


def cut_out(before: Batch, after: Batch, drawn: dict[int, Parameters], outside: int) -> None:
    """Crops, all with one centre (nnU-Net's have) in one copy."""
    size = after.image.shape[2:]
    by_centre: dict[tuple[int, ...], list[int]] = {}
    for sample, parameters in drawn.items():
        centre = tuple(math.floor(c) for c in parameters["center_location_in_pixels"])
        by_centre.setdefault(centre, []).append(sample)
    for centre, samples in by_centre.items():
        rows = Rows(samples, after.image.device)
        for whole, patches, value in ((before.image, after.image, 0), (before.target, after.target, outside)):
            crops = crop_tensor(whole.flatten(0, 1), centre, size, pad_kwargs={"value": value})  # a view, mostly
            rows.put(patches, rows.of(crops.unflatten(0, whole.shape[:2])))


def interpolate(before: Batch, after: Batch, moved: list[int], some: slice, grids: Grids, sampler: Sampler) -> None:
    """Patches of some of the samples that have grids, in slabs along the first axis."""
    rows, length = Rows(moved[some], after.image.device), after.image.shape[2]
    image = rows.of(before.image)
    labels = sampler.prepared(rows.of(before.target))
    thickness = max(1, min(length, at_once(before.image) // math.prod(after.image.shape[3:])))
    for start in range(0, length, thickness):
        slab = (start, min(thickness, length - start))
        points = grids.piece(some, *slab)
        rows.put(after.image.narrow(2, *slab), F.grid_sample(image, points.movedim(0, -1), align_corners=False))
        rows.put(after.target.narrow(2, *slab), sampler.at(labels, points))


def at_once(image: torch.Tensor) -> int:
    """How many points are resampled in one go of images (B, C, *spatial)."""
    return max(FEWEST, image[:, 0].numel() // VOXELS_PER_POINT)
