"""The second stage of UTANet's training: a trained U-Net is frozen, and only the skip mechanism learns."""

from typing import Any

from torch import nn

from nnunet_skipx.architectures.pretrained import names
from nnunet_skipx.training.options.base import TrainerOption
from nnunet_skipx.training.trainer import SkipTrainer


class Stage2Option(TrainerOption, SkipTrainer):
    """`_stage2`: take encoder and decoder from a trained nnU-Net, freeze them, train the mechanism and the heads.

    Starts with `-pretrained_weights .../checkpoint_final.pth` of a stock nnU-Net on the same plans. nnU-Net's loader
    leaves the segmentation heads (`seg_layers`) out, so these train as well.
    """

    is_resumed = False

    @staticmethod
    def changed(network: nn.Module) -> nn.Module:
        """The network with encoder and decoder frozen, but for the segmentation heads."""
        for name, parameter in network.named_parameters():
            parameter.requires_grad = name.startswith("skips.") or ".seg_layers." in name
        return network

    def load_checkpoint(self, filename_or_checkpoint: dict[str, Any] | str) -> None:
        """nnU-Net's; what this training has saved is whole."""
        super().load_checkpoint(filename_or_checkpoint)
        self.is_resumed = True

    def on_train_start(self) -> None:
        """Refuse to train on a frozen U-Net that is random, or is so in parts.

        Raises:
            ValueError: no weights were loaded, or not all of encoder and decoder.
        """
        if not self.was_initialized:
            self.initialize()
        start = self.bare_network.warm_start
        if not self.is_resumed and start is None:
            raise ValueError(
                f"{self.__class__.__name__} trains the mechanism on top of a trained, frozen U-Net: add "
                "-pretrained_weights RESULTS/DATASET/nnUNetTrainer__PLANS__CONFIGURATION/fold_X/checkpoint_final.pth"
            )
        if not self.is_resumed and start is not None and (start.others or start.adapted):
            raise ValueError(
                f"{self.__class__.__name__} freezes the U-Net, but the pretrained weights have another "
                f"{names((*start.adapted, *start.others))}: take a checkpoint of the same plans and channels"
            )
        super().on_train_start()

    def on_train_epoch_start(self) -> None:
        """Keep the frozen parts in evaluation mode: batch norm would otherwise go on learning statistics."""
        super().on_train_epoch_start()
        self.bare_network.encoder.eval()
        self.bare_network.decoder.eval()
