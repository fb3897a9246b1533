"""What plans call a network, what they tell it, and who trains it."""

from collections.abc import Mapping
from typing import Any

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_skipx import architectures
from nnunet_skipx.architectures import NETWORKS
from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.planning.spelling import STOCK


def architecture_of(architecture: str, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The entry `architecture` of a configuration planned for the stock network, for one of our networks."""
    planned = configuration["architecture"]
    if architecture == STOCK:
        return dict(planned)
    arguments = planned["arch_kwargs"] | {key: configuration[key] for key in NETWORKS[architecture].plan_arguments}
    name = f"{architectures.__name__}.{architecture}"
    return {**planned, "network_class_name": name, "arch_kwargs": arguments}


def trainer_of(architecture: str) -> type[nnUNetTrainer]:
    """The trainer that trains an architecture."""
    return find_trainer("nnUNetTrainer" if architecture == STOCK else f"nnUNetTrainer{architecture}")
