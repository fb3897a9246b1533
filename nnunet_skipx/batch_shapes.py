"""The shapes of what nnU-Net's data loader gives a trainer."""
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer


def data_shape(trainer: nnUNetTrainer) -> tuple[int, ...]:
    """Of the images of an initialised trainer: `(B, channels, *patch)`."""
    return trainer.batch_size, trainer.num_input_channels, *trainer.configuration_manager.patch_size


def target_shapes(trainer: nnUNetTrainer) -> list[tuple[int, ...]]:
    """Of the label maps `(B, 1, *spatial)`, or with one channel per region, one for each output of the network."""
    patch, labels = trainer.configuration_manager.patch_size, trainer.label_manager
    channels = len(labels.all_regions) + labels.has_ignore_label if labels.has_regions else 1
    scales = trainer._get_deep_supervision_scales() or [[1] * len(patch)]
    return [(trainer.batch_size, channels, *(round(n * s) for n, s in zip(patch, scale, strict=True)))
            for scale in scales]  # fmt: skip
