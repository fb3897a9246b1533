"""Gaussian blur of all chosen channels at once, each with a deviation of its own for each axis."""

from collections.abc import Sequence

import numpy as np
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import _build_kernel
from torch.nn import functional as F

from nnunet_skipx.augmentation.batch import Batch, Chosen
from nnunet_skipx.augmentation.rows import channels, on_device

TRUNCATE = 6  # as in batchgeneratorsv2's blur_dimension


def blur(transform: BasicTransform, batch: Batch, chosen: Chosen) -> None:
    """Along one axis after the other, the sum of shifted images times the kernel's weights.

    There are few weights, and torch's convolutions of single channels are slow: 270 ms against 44 for a 128^3 on a CPU.
    """
    drawn = {
        (sample, channel): sigmas
        for sample, parameters in chosen
        for channel, sigmas in zip(
            torch.where(parameters["apply_to_channel"])[0].tolist(), parameters["sigmas"], strict=True
        )
    }
    if not drawn:
        return
    by_axis = [kernels(sigmas) for sigmas in zip(*drawn.values(), strict=True)]
    numbers = dict(zip(drawn, torch.cat(by_axis, dim=1).tolist(), strict=True))
    with channels(batch, numbers) as (image, weights):
        blurred = image
        for axis, some in enumerate(weights.split([kernel.shape[1] for kernel in by_axis]), start=1):
            blurred = weighted_shifts(blurred, axis, some)
        image.copy_(blurred)


def kernels(sigmas: Sequence[float]) -> torch.Tensor:
    """(n, weights): kernels of these deviations in voxels, with zeros around those that are shorter."""
    found = [_build_kernel(sigma, truncate=TRUNCATE) for sigma in sigmas]
    longest = max(map(len, found))
    return torch.stack([F.pad(kernel, [(longest - len(kernel)) // 2] * 2) for kernel in found])


def weighted_shifts(image: torch.Tensor, axis: int, weights: torch.Tensor) -> torch.Tensor:
    """image (n, *spatial), each row convolved along an axis with its own of the weights (each, n, 1, ...)."""
    length, reach = image.shape[axis], len(weights) // 2
    padded = reflected(image, axis, reach)
    result = padded.narrow(axis, 0, length) * weights[0]
    for shift, weight in enumerate(weights[1:], start=1):
        result.addcmul_(padded.narrow(axis, shift, length), weight)
    return result


def reflected(image: torch.Tensor, axis: int, reach: int) -> torch.Tensor:
    """image (n, *spatial), longer by `reach` voxels at both ends of an axis, which mirror it as often as it takes."""
    if reach >= image.shape[axis]:  # more than torch's padding can, which batchgeneratorsv2 takes
        places = np.pad(np.arange(image.shape[axis]), reach, mode="reflect")
        return image.index_select(axis, on_device(places, image.device, torch.long))
    padding = [0] * (2 * (image.ndim - 1))
    before = 2 * (image.ndim - 1 - axis)
    padding[before : before + 2] = [reach, reach]
    return F.pad(image, padding, mode="reflect")
