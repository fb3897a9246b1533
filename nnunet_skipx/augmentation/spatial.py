"""Rotation, scaling, elastic deformation: one resampling of what has any of them, a crop of what has none."""
import copy
import math
from typing import Any

import numpy as np
import torch
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
from batchgeneratorsv2.transforms.utils.cropping import crop_tensor
from torch.nn import functional as F

from nnunet_skipx.augmentation.batch import Batch
from nnunet_skipx.augmentation.elastic import displacements
from nnunet_skipx.augmentation.labels import resampled_labels

Parameters = dict[str, Any]


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
    return [small.get_parameters(image=batch.stand_in()) for _ in range(len(batch.image))]


def resample(
    transform: SpatialTransform, batch: Batch, drawn: list[Parameters], shifts: torch.Tensor | None = None
) -> None:
    """Replace image and target by patches of `transform.patch_size`; shifts: (B, *patch, d) in voxels."""
    size = tuple(map(int, transform.patch_size))
    image, target = batch.image, batch.target
    outside = int(transform.padding_value_seg)
    batch.image = image.new_empty((*image.shape[:2], *size))
    batch.target = target.new_empty((*target.shape[:2], *size))
    for sample, parameters in enumerate(drawn):
        if parameters["affine"] is None and shifts is None:
            centre = [math.floor(c) for c in parameters["center_location_in_pixels"]]
            batch.image[sample] = crop_tensor(image[sample], centre, size)
            batch.target[sample] = crop_tensor(target[sample], centre, size, pad_kwargs={"value": outside})
        else:
            theta = theta_of(parameters, image.shape[2:], size).to(image.device, non_blocking=True)
            grid = F.affine_grid(theta[None], [1, 1, *size], align_corners=False)
            if shifts is not None:
                grid += shifted(theta, shifts[sample])
            batch.image[sample] = F.grid_sample(image[sample, None], grid, align_corners=False)[0]
            batch.target[sample] = resampled_labels(target[sample], grid[0], outside)


def shifted(theta: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """What `shifts` of the patch's points (*patch, d), in voxels, add to a grid of `affine_grid(theta)`."""
    in_half_sizes = [2 / length * shifts[..., axis] for axis, length in enumerate(shifts.shape[:-1])]
    return torch.stack(in_half_sizes[::-1], dim=-1) @ theta[:, :-1].T


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
