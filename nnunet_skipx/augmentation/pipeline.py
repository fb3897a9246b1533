"""The trainer's own list of transforms, carried out for whole batches on the device."""

from collections.abc import Callable
from typing import Any

import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
from batchgeneratorsv2.transforms.nnunet.random_binary_operator import ApplyRandomBinaryOperatorTransform
from batchgeneratorsv2.transforms.nnunet.remove_connected_components import (
    RemoveRandomConnectedComponentFromOneHotEncodingTransform,
)
from batchgeneratorsv2.transforms.nnunet.seg_to_onehot import MoveSegAsOneHotToDataTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from batchgeneratorsv2.transforms.utils.deep_supervision_downsampling import DownsampleSegForDSTransform
from batchgeneratorsv2.transforms.utils.nnunet_masking import MaskImageTransform
from batchgeneratorsv2.transforms.utils.pseudo2d import Convert2DTo3DTransform, Convert3DTo2DTransform
from batchgeneratorsv2.transforms.utils.random import RandomTransform
from batchgeneratorsv2.transforms.utils.remove_label import RemoveLabelTransform
from batchgeneratorsv2.transforms.utils.seg_to_regions import ConvertSegmentationToRegionsTransform

from nnunet_skipx.augmentation import cascade, intensity, targets
from nnunet_skipx.augmentation.batch import Batch, Chosen, Draws
from nnunet_skipx.augmentation.blur import blur
from nnunet_skipx.augmentation.low_resolution import low_resolution
from nnunet_skipx.augmentation.spatial import spatial

STEPS: dict[type[BasicTransform], Callable[[Any, Batch, Chosen], None]] = {
    GaussianNoiseTransform: intensity.noise,
    GaussianBlurTransform: blur,
    MultiplicativeBrightnessTransform: intensity.brightness,
    ContrastTransform: intensity.contrast,
    SimulateLowResolutionTransform: low_resolution,
    GammaTransform: intensity.gamma,
    MirrorTransform: targets.mirror,
    MaskImageTransform: targets.mask,
    RemoveLabelTransform: targets.remove_label,
    ConvertSegmentationToRegionsTransform: targets.regions,
    DownsampleSegForDSTransform: targets.downsample,
    Convert3DTo2DTransform: targets.to_2d,
    MoveSegAsOneHotToDataTransform: cascade.one_hot,
    ApplyRandomBinaryOperatorTransform: cascade.binary_operators,
    RemoveRandomConnectedComponentFromOneHotEncodingTransform: cascade.remove_component,
}
OTHERS = (SpatialTransform, Convert2DTo3DTransform)


class DeviceAugmentation:
    """Carries out a composition of batchgeneratorsv2's transforms, with its parameters and probabilities per sample.

    elastic: deform every sample elastically in the same resampling. Raises NotImplementedError for a transform that it
    does not know.
    """

    def __init__(self, transforms: ComposeTransforms, seed: int, device: torch.device, elastic: bool = False) -> None:
        self.transforms = [unwrapped(transform) for transform in transforms.transforms]
        self.elastic = elastic
        self.draws = Draws(seed, device)
        for transform, _ in self.transforms:
            if type(transform) not in (*STEPS, *OTHERS):
                raise NotImplementedError(
                    f"{type(transform).__name__} does not run on the device: use the trainer without _gpuaug"
                )

    @torch.no_grad()
    def __call__(self, image: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """Image (B, C, *spatial) and target as the loss wants them, on the device, of what the workers cropped."""
        batch = self._on_device(image, target)
        channels = (image.shape[1], target.shape[1])
        with self.draws.drawing():
            for transform, probability in self.transforms:
                if isinstance(transform, SpatialTransform):
                    spatial(transform, batch, self.elastic)
                elif isinstance(transform, Convert2DTo3DTransform):
                    targets.to_3d(channels, batch)
                else:
                    STEPS[type(transform)](transform, batch, chosen(transform, probability, batch))
        return batch.image, batch.target

    def _on_device(self, image: torch.Tensor, target: torch.Tensor) -> Batch:
        """The batch, of which nobody else keeps what the first transform replaces."""
        device = self.draws.noise.device
        image, target = (x.to(device, non_blocking=True).contiguous() for x in (image, target))
        return Batch(image, target, self.draws.noise)


def chosen(transform: BasicTransform, probability: float, batch: Batch) -> Chosen:
    """The samples that the transform applies to, with what it drew for each."""
    if hasattr(transform, "channel_idx"):  # shuffled in every draw: a resumed training draws the same
        transform.channel_idx = sorted(transform.channel_idx)
    samples = [sample for sample in range(len(batch.image)) if probability == 1 or torch.rand(1).item() < probability]
    image = batch.stand_in()
    return [(sample, transform.get_parameters(image=image)) for sample in samples]


def unwrapped(transform: BasicTransform) -> tuple[BasicTransform, float]:
    """A transform without `RandomTransform` around it, and the probability that this gave it."""
    if isinstance(transform, RandomTransform):
        return transform.transform, float(transform.apply_probability)
    return transform, 1.0
