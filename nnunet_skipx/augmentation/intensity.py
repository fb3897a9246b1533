"""Noise, blur, brightness, contrast, low resolution and gamma, each on the samples that drew it."""
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
    """Gaussian blur, each chosen channel with a deviation for each axis."""
    for sample, parameters in chosen:
        channels = torch.where(parameters["apply_to_channel"])[0].tolist()
        for channel, sigmas in zip(channels, parameters["sigmas"], strict=True):
            image = batch.image[sample, channel]
            for axis, sigma in enumerate(sigmas):
                image = blurred(image, sigma, axis)
            batch.image[sample, channel] = image


def blurred(image: torch.Tensor, sigma: float, axis: int) -> torch.Tensor:
    """image (*spatial), blurred along one axis; sigma in voxels."""
    kernel = _build_kernel(sigma, truncate=BLUR_TRUNCATE).to(image.device, non_blocking=True)
    reach, axes = len(kernel) // 2, image.ndim
    shape = [1] * axes
    shape[axis] = -1
    padding = [0] * (2 * axes)
    padding[2 * (axes - 1 - axis) : 2 * (axes - axis)] = [reach, reach]
    convolve = F.conv3d if axes == 3 else F.conv2d
    padded = F.pad(image[None, None], padding, mode="reflect")
    return convolve(padded, kernel.reshape(1, 1, *shape))[0, 0]
