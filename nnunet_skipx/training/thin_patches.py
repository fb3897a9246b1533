"""Patches of a few voxels along an axis, which nnU-Net's augmentation workers cannot blur."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform, blur_dimension

if TYPE_CHECKING:
    from nnunet_skipx.training.trainer import SkipTrainer


def require_patch_for_workers(trainer: "SkipTrainer") -> None:
    """Raise RuntimeError where a worker would die in one of the first epochs; says what does not."""
    if not trainer.augments_in_workers:
        return
    patch = trainer.configuration_manager.patch_size
    transforms = trainer.get_training_transforms(patch, (0, 0), None, None, False)
    for transform in transforms.transforms:
        if (length := too_thin(getattr(transform, "transform", transform), patch)) is not None:
            raise RuntimeError(
                f"nnU-Net's augmentation workers die on patches of {'x'.join(map(str, patch))}: their blur reaches "
                f"further than an axis of {length} voxels. Add _gpuaug to the trainer's name, which blurs these too, "
                "and to its baseline's (nnUNetTrainer_gpuaug), or train the configuration 2d"
            )


def too_thin(transform: Any, patch: Sequence[int]) -> int | None:
    """The length of an axis on which a blur fails as strong as it can be drawn; None for what works."""
    if not isinstance(transform, GaussianBlurTransform) or callable(transform.blur_sigma):
        return None
    strongest = max(transform.blur_sigma) if isinstance(transform.blur_sigma, Sequence) else transform.blur_sigma
    for length in sorted(set(patch)):
        try:
            blur_dimension(torch.zeros(1, length), strongest, 0)
        except RuntimeError:
            return length
    return None
