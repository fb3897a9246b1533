"""The second stage of UTANet's training: a trained U-Net is frozen, and only the skip mechanism learns."""

from typing import Any

import torch
from torch import nn

from nnunet_skipx.training.options.base import TrainerOption
from nnunet_skipx.training.trainer import SkipTrainer


class Stage2Option(TrainerOption, SkipTrainer):
    """`_stage2`: take encoder and decoder from a trained nnU-Net, freeze them, train the mechanism and the heads.

    Starts with `-pretrained_weights .../checkpoint_final.pth` of a stock nnU-Net on the same plans. nnU-Net's loader
    leaves the segmentation heads (`seg_layers`) out, so these train as well.
    """

    @staticmethod
    def changed(network: nn.Module) -> nn.Module:
        """The network with encoder and decoder frozen, but for the segmentation heads."""
        for name, parameter in network.named_parameters():
            parameter.requires_grad = name.startswith("skips.") or ".seg_layers." in name
        return network

    def initialize(self) -> None:
        """Prepare the network for a checkpoint without the mechanism's keys."""
        super().initialize()
        self.awaited_checkpoint = StockCheckpoint(self.bare_network)

    def on_train_start(self) -> None:
        """Refuse to train on a random frozen U-Net.

        Raises:
            ValueError: no weights were loaded.
        """
        if not self.was_initialized:
            self.initialize()
        if not self.awaited_checkpoint.loaded:
            raise ValueError(
                f"{self.__class__.__name__} trains the mechanism on top of a trained, frozen U-Net: add "
                "-pretrained_weights RESULTS/DATASET/nnUNetTrainer__PLANS__CONFIGURATION/fold_X/checkpoint_final.pth"
            )
        super().on_train_start()

    def on_train_epoch_start(self) -> None:
        """Keep the frozen parts in evaluation mode: batch norm would otherwise go on learning statistics."""
        super().on_train_epoch_start()
        self.bare_network.encoder.eval()
        self.bare_network.decoder.eval()


class StockCheckpoint:
    """Lets a network take one checkpoint that lacks the mechanism's keys, through nnU-Net's own loader.

    nnU-Net's `load_pretrained_weights` insists that the file has every key of `network.state_dict()`, and then loads
    strictly. So until the first load the network does not show the mechanism's keys, and at that load it fills those
    that are missing with the values it has. Afterwards no trace is left.
    """

    def __init__(self, network: nn.Module) -> None:
        self.loaded = False
        self.hide = network.register_state_dict_post_hook(self.hide_mechanism)
        self.fill = network.register_load_state_dict_pre_hook(self.fill_mechanism)

    @staticmethod
    def hide_mechanism(network: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
        for key in [key for key in state if key.startswith("skips.")]:
            del state[key]

    def fill_mechanism(self, network: nn.Module, state: dict[str, torch.Tensor], *unused: Any) -> None:
        self.hide.remove()
        self.fill.remove()
        self.loaded = True
        for key, value in network.state_dict().items():
            if key.startswith("skips."):
                state.setdefault(key, value)
