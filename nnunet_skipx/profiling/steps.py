"""A trainer's training step and its network's prediction of one patch, on random data of a plan's size."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_skipx.nnunet.batches import random_batch
from nnunet_skipx.nnunet.throwaway import Setting, throwaway_trainer
from nnunet_skipx.profiling.cost import inference_network
from nnunet_skipx.profiling.measure import Step


def training_step(trainer_class: type[nnUNetTrainer], setting: Setting) -> Step:
    """nnU-Net's own `train_step` of an initialised trainer, at the plan's batch size.

    So loss, optimiser, gradient clipping, deep supervision, autocast, GradScaler and torch.compile are those of a
    real training; only the data are random. The trainer is built between folders that vanish at once, so nothing is
    written to the user's results and no preprocessed data are needed.
    """
    with throwaway_trainer(trainer_class, setting) as trainer:
        trainer.initialize()
        trainer.on_train_epoch_start()
    batch = random_batch(trainer)
    return lambda: trainer.train_step(batch)


@dataclass(frozen=True)
class Schedule:
    """How long a trainer trains: epochs, and iterations of training and validation in each."""

    epochs: int
    iterations: int
    validation_iterations: int


def schedule(trainer_class: type[nnUNetTrainer], setting: Setting) -> Schedule:
    """The schedule that a trainer sets itself when it is built."""
    with throwaway_trainer(trainer_class, setting) as trainer:
        return Schedule(trainer.num_epochs, trainer.num_iterations_per_epoch, trainer.num_val_iterations_per_epoch)


def inference_step(trainer_class: type[nnUNetTrainer], setting: Setting) -> Step:
    """The forward pass of one patch as nnUNetv2_predict runs it, without mirroring; not compiled."""
    network, input_shape = inference_network(trainer_class, setting.plans, setting.configuration, setting.dataset_json)
    network.to(setting.device)
    patch = torch.randn(input_shape, device=setting.device)

    def step() -> None:
        autocast = torch.autocast("cuda") if setting.device == "cuda" else nullcontext()
        with torch.inference_mode(), autocast:
            network(patch)

    return step


MODES: dict[str, Callable[[type[nnUNetTrainer], Setting], Step]] = {
    "training": training_step,
    "inference": inference_step,
}
