"""The shapes of what nnU-Net's data loader gives a trainer."""

from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer


def data_shape(trainer: nnUNetTrainer) -> tuple[int, ...]:
    """Of the images of an initialised trainer: `(B, channels, *patch)`."""
    return trainer.batch_size, trainer.num_input_channels, *trainer.configuration_manager.patch_size


def target_shapes(trainer: nnUNetTrainer) -> list[tuple[int, ...]]:
    """Of the label maps `(B, 1, *spatial)`, or with one channel per region, one for each output of the network."""
    patch, labels = trainer.configuration_manager.patch_size, trainer.label_manager
    channels = len(labels.all_regions) + labels.has_ignore_label if labels.has_regions else 1
    scales = trainer._get_deep_supervision_scales() or [[1] * len(patch)]
    return [
        (trainer.batch_size, channels, *(round(n * s) for n, s in zip(patch, scale, strict=True))) for scale in scales
    ]


def random_batch(trainer: nnUNetTrainer) -> dict[str, Any]:
    """What nnU-Net's data loader would give an initialised trainer, with noise as image and labels.

    data: `(B, channels, *patch)`. target: label maps `(B, 1, *spatial)`, or one channel per region; a list with one
    for each output of the network where the trainer supervises deeply.
    """
    targets = [_random_target(trainer, shape) for shape in target_shapes(trainer)]
    data = torch.randn(data_shape(trainer), device=trainer.device)
    return {"data": data, "target": targets if trainer.enable_deep_supervision else targets[0]}


def _random_target(trainer: nnUNetTrainer, shape: tuple[int, ...]) -> torch.Tensor:
    if trainer.label_manager.has_regions:
        return torch.rand(shape, device=trainer.device) < 0.5
    values = torch.tensor(trainer.label_manager.all_labels, dtype=torch.int16, device=trainer.device)
    return values[torch.randint(len(values), shape, device=trainer.device)]


def zero_batch(trainer: nnUNetTrainer) -> dict[str, Any]:
    """What the data loader would give, all background."""
    kind = torch.bool if trainer.label_manager.has_regions else torch.int16
    targets = [torch.zeros(shape, dtype=kind, device=trainer.device) for shape in target_shapes(trainer)]
    data = torch.zeros(data_shape(trainer), device=trainer.device)
    return {"data": data, "target": targets if trainer.enable_deep_supervision else targets[0]}
