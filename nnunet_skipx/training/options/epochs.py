"""`_{N}epochs`: a training of another length."""

from typing import ClassVar

from nnunet_skipx.training.options.base import TrainerOption


class EpochsOption(TrainerOption):
    """`_{N}epochs`: train for N epochs instead of nnU-Net's 1000; the learning rate decays over the N."""

    epochs: ClassVar[int]

    def set_up(self) -> None:
        """The number of epochs."""
        self.num_epochs = self.epochs
