"""A training step with the augmentation on the device, on a random batch as nnU-Net's workers crop it."""

from typing import Any

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from benchmarks.augmentation_speed import cropped_batch
from nnunet_skipx.nnunet.batches import data_shape
from nnunet_skipx.nnunet.throwaway import Setting, throwaway_trainer
from nnunet_skipx.profiling.measure import Step


def augmenting_step(trainer_class: type[nnUNetTrainer], setting: Setting) -> Step:
    """nnU-Net's own `train_step` of a `_gpuaug` trainer; the batch comes from the host's memory, as in a training."""
    with throwaway_trainer(trainer_class, setting) as trainer:
        trainer.initialize()
        trainer.on_train_epoch_start()
        size = asked_for_transforms(trainer)
    shape = (*data_shape(trainer)[:2], *size)
    labels = len(trainer.label_manager.foreground_labels)
    image, target = (x.pin_memory() if setting.device == "cuda" else x for x in cropped_batch(shape, labels))
    return lambda: trainer.train_step({"data": image, "target": target})


def asked_for_transforms(trainer: nnUNetTrainer) -> list[int]:
    """Ask for the training's transforms, as nnU-Net does for its workers; returns the size of what these crop."""
    rotation, dummy_2d, size, axes = trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
    arguments: dict[str, Any] = {
        "use_mask_for_norm": trainer.configuration_manager.use_mask_for_norm,
        "foreground_labels": trainer.label_manager.foreground_labels,
        "ignore_label": trainer.label_manager.ignore_label,
    }
    patch, scales = trainer.configuration_manager.patch_size, trainer._get_deep_supervision_scales()
    trainer.get_training_transforms(patch, rotation, scales, axes, dummy_2d, **arguments)
    return [int(length) for length in size]
