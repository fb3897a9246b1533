"""What options share: nnU-Net's signatures, which it inspects, once instead of in every option."""

from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from torch import nn


class TrainerOption(nnUNetTrainer):
    """An option of a trainer's name: `set_up` changes a trainer that was built, `changed` a network.

    Where several options stand in a name, each is asked once, the one with the last word last.
    """

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cuda"),  # noqa: B008 - nnU-Net compares signatures
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        for option in options_with(type(self), "set_up"):
            option.set_up(self)

    def set_up(self) -> None:
        """Change what nnU-Net's `__init__` has set."""

    @classmethod
    def build_network_architecture(
        cls,
        plans_manager: PlansManager,
        configuration_manager: ConfigurationManager,
        num_input_channels: int,
        num_output_channels: int,
        enable_deep_supervision: bool = True,
    ) -> nn.Module:
        """The trainer's network as its options change it."""
        network = super().build_network_architecture(
            plans_manager, configuration_manager, num_input_channels, num_output_channels, enable_deep_supervision
        )
        for option in options_with(cls, "changed"):
            network = option.changed(network)
        return network

    @staticmethod
    def changed(network: nn.Module) -> nn.Module:
        """The network, changed."""
        return network


def options_with(trainer: type[TrainerOption], method: str) -> list[type[TrainerOption]]:
    """The options in a trainer that bring a method of their own, the one with the last word last."""
    options = [part for part in trainer.__mro__ if issubclass(part, TrainerOption) and part is not TrainerOption]
    return [option for option in reversed(options) if method in vars(option)]
