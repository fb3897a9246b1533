"""`_demo`: the schedule of `skipx demo`."""

import random
from typing import Any, ClassVar

import numpy as np
import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler

from nnunet_skipx.training.options.base import TrainerOption


class DemoOption(TrainerOption):
    """`_demo`: the shortened schedule of `skipx demo`, 5 epochs of 40 iterations with AdamW 6e-3 and no mirroring.

    nnU-Net's own SGD schedule has learnt nothing after so few iterations, and at half this learning rate a class
    sometimes stays empty to the end. A trainer that diverges or stalls at it names another (`demo_learning_rate`).
    Mechanisms are narrowed as the demo's plans narrow the U-Net (`demo_kwargs`).
    Seeded by fold and epoch, so that a machine repeats its numbers, also after an interruption (with
    nnUNet_n_proc_DA=0). Not for results.
    """

    demo_epochs: ClassVar[int] = 5
    iterations_per_epoch: ClassVar[int] = 40
    learning_rate: ClassVar[float] = 6e-3

    def set_up(self) -> None:
        """The schedule, and the seeds that the weights start from."""
        seed_everything(self.fold, 0)
        self.num_epochs = self.demo_epochs
        self.num_iterations_per_epoch = self.iterations_per_epoch
        self.num_val_iterations_per_epoch = 2
        self.initial_lr = getattr(self, "demo_learning_rate", None) or self.learning_rate
        self.save_every = 1

    def on_train_epoch_start(self) -> None:
        """nnU-Net's start of an epoch, with random numbers that do not depend on what ran before it."""
        seed_everything(self.fold, self.current_epoch)
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


def seed_everything(fold: int | str, epoch: int) -> None:
    """Seed Python, NumPy and torch for one epoch of a fold; "all" counts as fold 0."""
    seed = 12345 + (fold if isinstance(fold, int) else 0) + 1000 * epoch  # nnU-Net seeds its splits with 12345
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
