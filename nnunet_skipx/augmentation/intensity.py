"""Noise, blur, brightness, contrast, low resolution and gamma, each on the samples that drew it."""
from collections.abc import Sequence

import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import _build_kernel
from torch.nn import functional as F

from nnunet_skipx.augmentation.batch import Batch, Chosen

BLUR_TRUNCATE = 6  # as in batchgeneratorsv2's blur_dimension


def in_place(transform: BasicTransform, batch: Batch, chosen: Chosen) -> None:
    """The transform's own code on each chosen sample: its parameters lie on the host, so nothing waits."""
    for sample, parameters in chosen:
        batch.image[sample] = transform._apply_to_image(batch.image[sample], **parameters)


def noise(transform: BasicTransform, batch: Batch, chosen: Chosen) -> None:
    """Gaussian noise, drawn on the device; one number is a standard deviation for all channels."""
    for sample, parameters in chosen:
        if parameters["num_apply"] == 0:
            continue
        sigmas = parameters["sigmas"]
        deviations = sigmas if isinstance(sigmas, list) else [sigmas] * parameters["num_apply"]
        for channel, deviation in zip(parameters["apply_idx"].tolist(), deviations, strict=True):
            image = batch.image[sample, channel]
            image.add_(torch.randn(image.shape, generator=batch.noise, device=image.device), alpha=deviation)


def blur(transform: BasicTransform, batch: Batch, chosen: Chosen) -> None:
    """Gaussian blur with a kernel per channel and axis, all chosen channels of the batch at once."""
    places = [(sample, channel) for sample, parameters in chosen
              for channel in torch.where(parameters["apply_to_channel"])[0].tolist()]  # fmt: skip
    if not places:
        return
    sigmas = [sigma for _, parameters in chosen for sigma in parameters["sigmas"]]
    x = torch.stack([batch.image[place] for place in places])[None]
    for axis in range(x.ndim - 2):
        x = blurred(x, [sigma[axis] for sigma in sigmas], axis)
    for place, image in zip(places, x[0], strict=True):
        batch.image[place] = image


def blurred(x: torch.Tensor, sigmas: Sequence[float], axis: int) -> torch.Tensor:
    """x (1, N, *spatial), blurred along one spatial axis, each of the N with its own sigma in voxels."""
    kernels = [_build_kernel(sigma, truncate=BLUR_TRUNCATE) for sigma in sigmas]
    longest = max(map(len, kernels)) // 2
    weight = torch.stack([F.pad(kernel, [longest - len(kernel) // 2] * 2) for kernel in kernels])
    weight = weight.to(x.device, non_blocking=True)
    axes = x.ndim - 2
    shape = [1] * axes
    shape[axis] = -1
    padding = [0] * (2 * axes)
    padding[2 * (axes - 1 - axis) : 2 * (axes - axis)] = [longest, longest]
    convolve = F.conv3d if axes == 3 else F.conv2d
    return convolve(F.pad(x, padding, mode="reflect"), weight.reshape(len(kernels), 1, *shape), groups=len(kernels))
