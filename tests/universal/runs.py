"""Universal runs over made-up domains, trained within the test's process."""

import json
from pathlib import Path
from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_skipx.training.variants import trainer_class
from nnunet_skipx.universal.create import create_run
from tests.plan_shapes import PlanShape
from tests.universal.conftest import Make

SHALLOW = PlanShape((8, 16, 16), (1, 1, 1), 3)
DEEP = PlanShape((8, 32, 32), (3, 1, 1), 4)
UNIVERSAL = "nnUNetTrainerU2NetUniversal"
ITERATIONS = 3  # per domain and epoch


def make_run(make_domain: Make, number: int = 500, domains: tuple[int, ...] = (11, 12), **options: Any) -> Path:
    """A run over domains that differ in stages, patch, channels and labels; 11 and 12 unless told otherwise."""
    shapes = {11: (SHALLOW, 3, 1), 12: (DEEP, 2, 3), 13: (SHALLOW, 2, 4), 14: (DEEP, 4, 1), 15: (SHALLOW, 3, 2)}
    for domain in domains:
        shape, classes, channels = shapes[domain]
        make_domain(domain, shape, classes=classes, channels=channels)
    return create_run([str(d) for d in domains], number, configurations=["test"], **options)


def make_trainer(folder: Path, name: str, resumed: bool = False) -> Any:
    """The trainer that nnUNetv2_train would make for the data set in `folder`, with short epochs."""
    plans = json.loads((folder / "nnUNetPlans.json").read_text()) | {"continue_training": resumed}
    dataset_json = json.loads((folder / "dataset.json").read_text())
    trainer: nnUNetTrainer = trainer_class(name)(plans, "test", 0, dataset_json, torch.device("cpu"))
    trainer.num_iterations_per_epoch = ITERATIONS
    trainer.num_val_iterations_per_epoch = 1
    return trainer


def train(folder: Path, name: str = f"{UNIVERSAL}_demo_2epochs") -> Any:
    """A finished training."""
    trainer = make_trainer(folder, name)
    trainer.run_training()
    return trainer


def weights(trainer: Any) -> dict[str, torch.Tensor]:
    """A copy of the network's weights."""
    return {name: value.clone() for name, value in trainer.network.state_dict().items()}
