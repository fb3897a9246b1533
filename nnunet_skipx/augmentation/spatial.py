"""Rotation, scaling, elastic deformation: one resampling of what has any of them, a crop of what has none."""
import copy
import math
from typing import Any

import numpy as np
import torch
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
from batchgeneratorsv2.transforms.utils.cropping import crop_tensor
from torch.nn import functional as F

from nnunet_skipx.augmentation.batch import Batch, Draws
from nnunet_skipx.augmentation.elastic import displacements

Parameters = dict[str, Any]


def spatial(transform: SpatialTransform, batch: Batch, draws: Draws, elastic: bool = False) -> None:
    """nnU-Net's `SpatialTransform` on a batch whose patches are larger than `transform.patch_size`.

    elastic: deform every sample as well.
    """
    drawn = draw(transform, batch, draws)
    size = tuple(map(int, transform.patch_size))
    resample(transform, batch, drawn, displacements(len(drawn), size, batch.noise) if elastic else None)


def draw(transform: SpatialTransform, batch: Batch, draws: Draws) -> list[Parameters]:
    """`affine` (None for most) and `center_location_in_pixels` of each sample, drawn by the transform itself.

    Raises NotImplementedError for settings that nnU-Net does not use.
    """
    unusual = {
        "p_elastic_deform": transform.p_elastic_deform > 0, "mode_seg": transform.mode_seg != "bilinear",
        "align_corners": transform.align_corners, "padding_mode_image": transform.padding_mode_image != "zeros",
        "border_mode_seg": transform.border_mode_seg != "constant", "seg_tiebreak": transform.seg_tiebreak != "nearest",
    }  # fmt: skip
    if wrong := [name for name, is_unusual in unusual.items() if is_unusual]:
        raise NotImplementedError(f"SpatialTransform with another {wrong[0]} than nnU-Net's does not run on the "
                                  "device: use the trainer without _gpuaug")  # fmt: skip
    small = copy.copy(transform)  # the grid, which it builds as well, would cost more than all else
    small.patch_size = (1,) * (batch.image.ndim - 2)
    small._grid_cache = {}
    with draws.drawing():
        return [small.get_parameters(image=batch.stand_in()) for _ in range(len(batch.image))]


def resample(
    transform: SpatialTransform, batch: Batch, drawn: list[Parameters], shifts: torch.Tensor | None = None
) -> None:
    """Replace image and target by patches of `transform.patch_size`; shifts: (B, *patch, d) in voxels."""
    size = tuple(map(int, transform.patch_size))
    image, target = batch.image, batch.target
    new_image = image.new_empty((*image.shape[:2], *size))
    new_target = target.new_empty((*target.shape[:2], *size))
    outside = int(transform.padding_value_seg)
    moved = [sample for sample, its in enumerate(drawn) if its["affine"] is not None or shifts is not None]
    for sample, parameters in enumerate(drawn):
        if sample not in moved:
            centre = [math.floor(c) for c in parameters["center_location_in_pixels"]]
            new_image[sample] = crop_tensor(image[sample], centre, size)
            new_target[sample] = crop_tensor(target[sample], centre, size, pad_kwargs={"value": outside})
    if moved:
        theta = torch.stack([theta_of(drawn[sample], image.shape[2:], size) for sample in moved]).to(image.device)
        grid = F.affine_grid(theta, [len(moved), 1, *size], align_corners=False)
        if shifts is not None:
            grid += shifted(theta, shifts)
        new_image[moved] = F.grid_sample(image[moved], grid, align_corners=False)
        new_target[moved] = resampled_labels(target[moved], grid, batch.labels, outside)
    batch.image, batch.target = new_image, new_target


def shifted(theta: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """What `shifts` of the patch's points (B, *patch, d), in voxels, add to a grid of `affine_grid(theta)`."""
    in_half_sizes = shifts.flip(-1) * (2 / torch.tensor(shifts.shape[-2:0:-1], device=shifts.device))
    turned = in_half_sizes.flatten(1, -2) @ theta[:, :, :-1].transpose(1, 2)
    return turned.view_as(shifts)


def theta_of(parameters: Parameters, shape: tuple[int, ...], size: tuple[int, ...]) -> torch.Tensor:
    """The matrix (d, d + 1) that `affine_grid` needs for an affine in voxels around a centre (None: the identity).

    A point p of the patch (from its middle) lies at affine @ p + centre - shape / 2 from the image's middle; torch
    measures both in half sizes, last axis first.
    """
    half_image, half_patch = np.array(shape) / 2, np.array(size) / 2
    affine = np.eye(len(shape)) if parameters["affine"] is None else np.asarray(parameters["affine"])
    matrix = affine * half_patch / half_image[:, None]
    shift = (np.array(parameters["center_location_in_pixels"]) - half_image) / half_image
    return torch.from_numpy(np.concatenate([matrix[::-1, ::-1], shift[::-1, None]], axis=1).copy()).float()


def resampled_labels(labels: torch.Tensor, grid: torch.Tensor, values: tuple[int, ...], outside: int) -> torch.Tensor:
    """Each voxel's label with the largest linearly interpolated indicator; the nearest one's where several tie.

    labels: (B, channels, *spatial). values: all that may occur. Beyond the image everything is `outside`.
    """
    values = tuple({*values, outside})
    if labels.device.type == "cpu":  # on a GPU the host would have to wait for the answer
        reaches_outside = bool((grid.abs().flatten(0, -2) > inner_bound(labels)).any())
        values = tuple(v for v in values if (v == outside and reaches_outside) or bool((labels == v).any()))
    nearest = F.grid_sample(labels.float() - outside, grid, mode="nearest", align_corners=False) + outside
    found = torch.empty_like(nearest)
    best, of_nearest = (torch.full_like(nearest, low, dtype=torch.half) for low in (-1, -2))
    for value in sorted(values):
        its = score(labels, grid, value, value == outside)
        found.masked_fill_(its > best, value)
        best = torch.maximum(best, its)
        of_nearest = torch.where(nearest == value, its, of_nearest)
    return torch.where(of_nearest == best, nearest, found).to(labels.dtype)


def inner_bound(labels: torch.Tensor) -> torch.Tensor:
    """For each axis of a grid, last one first, how far a point may lie from the middle to be between voxel centres."""
    return 1 - 1 / torch.tensor(labels.shape[:1:-1])


def score(labels: torch.Tensor, grid: torch.Tensor, value: int, is_outside: bool) -> torch.Tensor:
    """The interpolated indicator of one label, in the 16 bits in which batchgeneratorsv2 finds ties."""
    indicator = (labels == value).float().sub_(float(is_outside)).mul_(1000)
    return F.grid_sample(indicator, grid, align_corners=False).add_(1000 * float(is_outside)).half()
