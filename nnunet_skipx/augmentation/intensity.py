"""Noise, brightness, contrast and gamma, each for all channels that drew it at once."""

import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform

from nnunet_skipx.augmentation.batch import Batch, Chosen
from nnunet_skipx.augmentation.rows import channels, drawn_numbers

SMALLEST = 1e-7  # what batchgeneratorsv2 divides by at least


def noise(transform: BasicTransform, batch: Batch, chosen: Chosen) -> None:
    """Gaussian noise, drawn on the device; one number is a standard deviation for all channels."""
    drawn = {}
    for sample, parameters in chosen:
        sigmas = parameters["sigmas"]
        deviations = sigmas if isinstance(sigmas, list) else [sigmas] * parameters["num_apply"]
        for channel, deviation in zip(parameters["apply_idx"].tolist(), deviations, strict=True):
            drawn[sample, channel] = [deviation]
    if drawn:
        with channels(batch, drawn) as (image, (deviation,)):
            image.addcmul_(torch.randn(image.shape, generator=batch.noise, device=image.device), deviation)


def brightness(transform: BasicTransform, batch: Batch, chosen: Chosen) -> None:
    """Each channel times a number."""
    if drawn := drawn_numbers(chosen, "multipliers"):
        with channels(batch, drawn) as (image, (factor,)):
            image.mul_(factor)


def contrast(transform: ContrastTransform, batch: Batch, chosen: Chosen) -> None:
    """Each channel's distance from its mean times a number, within its old range if the transform says so."""
    if not (drawn := drawn_numbers(chosen, "multipliers")):
        return
    with channels(batch, drawn) as (image, (factor,)):
        voxels = list(range(1, image.ndim))
        mean = image.mean(voxels, keepdim=True)
        lowest, highest = image.amin(voxels, keepdim=True), image.amax(voxels, keepdim=True)
        image.sub_(mean).mul_(factor).add_(mean)
        if transform.preserve_range:
            image.clamp_(lowest, highest)


def gamma(transform: BasicTransform, batch: Batch, chosen: Chosen) -> None:
    """A power of each channel, scaled to [0, 1] for it; where that was drawn, mean and deviation are kept, or the
    channel is inverted meanwhile.
    """
    if not (drawn := drawn_numbers(chosen, "retain_stats", "invert_image", "gamma")):
        return
    with channels(batch, drawn) as (image, (retained, inverted, power)):
        voxels = list(range(1, image.ndim))
        deviation, mean = torch.std_mean(image, voxels, keepdim=True)
        lowest, highest = image.amin(voxels, keepdim=True), image.amax(voxels, keepdim=True)
        start, sign = lowest.lerp(highest, inverted), 1 - 2 * inverted
        span = highest - lowest
        image.sub_(start).div_(span.clamp(min=SMALLEST).mul_(sign)).pow_(power)
        new_deviation, new_mean = torch.std_mean(image, voxels, keepdim=True)
        keeping = deviation / (span * new_deviation).clamp_(min=SMALLEST)
        span.mul_(sign)
        scale = span.lerp(span * keeping, retained)
        shift = start.lerp(mean.addcmul_(new_mean, scale, value=-1), retained)
        torch.addcmul(shift, image, scale, out=image)
