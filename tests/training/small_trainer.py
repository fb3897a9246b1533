"""A trainer on the small test plans, as nnU-Net would make it."""

from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_skipx.training.variants import trainer_class
from tests.contract import SMALL
from tests.plan_shapes import PlanShape, dataset_json, plans


def make(name: str, shape: PlanShape = SMALL, content: dict[str, Any] | None = None) -> nnUNetTrainer:
    """The trainer called `name`, one of ours or nnU-Net's own; needs the `folders` of conftest."""
    torch.manual_seed(0)
    found = nnUNetTrainer if name == "nnUNetTrainer" else trainer_class(name)
    return found(plans(shape), "test", 0, content or dataset_json(), torch.device("cpu"))
