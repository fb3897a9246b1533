"""`_demo`: the schedule of `skipx demo`."""

import random
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler

from nnunet_skipx.nnunet.replicates import replicate_number
from nnunet_skipx.training.options.base import TrainerOption


class DemoOption(TrainerOption):
    """`_demo`: the shortened schedule of `skipx demo`, 5 epochs of 40 iterations with AdamW 6e-3 and no mirroring.

    nnU-Net's own SGD schedule has learnt nothing after so few iterations, and at half this learning rate a class
    sometimes stays empty to the end. A trainer that diverges or stalls at it names another (`demo_learning_rate`).
    Mechanisms are narrowed as the demo's plans narrow the U-Net (`demo_kwargs`).
    Seeded by fold, replicate and epoch, so that a machine repeats its numbers, also after an interruption (with
    nnUNet_n_proc_DA=0). Not for results.
    """

    demo_epochs: ClassVar[int] = 5
    iterations_per_epoch: ClassVar[int] = 40
    learning_rate: ClassVar[float] = 6e-3

    def set_up(self) -> None:
        """The schedule, and the seeds that the weights start from."""
        self.seed(epoch=0)
        self.num_epochs = self.demo_epochs
        self.num_iterations_per_epoch = self.iterations_per_epoch
        self.num_val_iterations_per_epoch = 2
        self.initial_lr = getattr(self, "demo_learning_rate", None) or self.learning_rate
        self.save_every = 1

    def seed(self, epoch: int) -> None:
        """Random numbers that are the training's own; one that writes nothing (no nnUNet_results) is the first."""
        replicate = replicate_number(Path(self.output_folder_base)) if self.output_folder_base else 1
        seed_everything(self.fold, replicate, epoch)

    def on_train_epoch_start(self) -> None:
        """nnU-Net's start of an epoch, with random numbers that do not depend on what ran before it."""
        self.seed(self.current_epoch)
        super().on_train_epoch_start()

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, PolyLRScheduler]:
        """AdamW with nnU-Net's polynomial decay."""
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(parameters, self.initial_lr, weight_decay=self.weight_decay)
        return optimizer, PolyLRScheduler(optimizer, self.initial_lr, self.num_epochs)

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self) -> tuple[Any, ...]:
        """nnU-Net's augmentation without mirroring: left and right structures keep their sides."""
        rotation, dummy_2d, patch_size, _ = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        self.inference_allowed_mirroring_axes = None
        return rotation, dummy_2d, patch_size, None


def seed_everything(fold: int | str, replicate: int, epoch: int) -> None:
    """Seed Python, NumPy and torch for one epoch of a replicate's fold; "all" counts as fold 0, replicates from 1."""
    drawn = (fold if isinstance(fold, int) else 0) + 1000 * epoch + 100_000 * (replicate - 1)
    seed = 12345 + drawn  # nnU-Net seeds its splits with 12345
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
