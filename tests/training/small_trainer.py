"""A trainer on the small test plans, as nnU-Net would make it."""
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_skipx.training.variants import trainer_class
from tests.contract import SMALL
from tests.plan_shapes import dataset_json, plans


def make(name: str) -> nnUNetTrainer:
    """The trainer called `name`; needs the `folders` of conftest."""
    torch.manual_seed(0)
    return trainer_class(name)(plans(SMALL), "test", 0, dataset_json(), torch.device("cpu"))
