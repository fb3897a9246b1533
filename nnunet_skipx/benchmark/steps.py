"""A trainer's training step and its network's prediction of one patch, on random data of a plan's size."""
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx.batch_shapes import data_shape, target_shapes
from nnunet_skipx.benchmark.cost import inference_network
from nnunet_skipx.benchmark.measure import Step


@dataclass(frozen=True)
class Setting:
    """A planned data set, one of its configurations, and the device: `cpu` or `cuda`."""

    plans: dict[str, Any]
    configuration: str
    dataset_json: dict[str, Any]
    device: str


def training_step(trainer_class: type[nnUNetTrainer], setting: Setting) -> Step:
    """nnU-Net's own `train_step` of an initialised trainer, at the plan's batch size.

    So loss, optimiser, gradient clipping, deep supervision, autocast, GradScaler and torch.compile are those of a
    real training; only the data are random. The trainer is built between folders that vanish at once, so nothing is
    written to the user's results and no preprocessed data are needed.
    """
    with throwaway_trainer(trainer_class, setting) as trainer:
        trainer.initialize()
        trainer.on_train_epoch_start()
    batch = random_batch(trainer)
    return lambda: trainer.train_step(batch)


@dataclass(frozen=True)
class Schedule:
    """How long a trainer trains: epochs, and iterations of training and validation in each."""

    epochs: int
    iterations: int
    validation_iterations: int


def schedule(trainer_class: type[nnUNetTrainer], setting: Setting) -> Schedule:
    """The schedule that a trainer sets itself when it is built."""
    with throwaway_trainer(trainer_class, setting) as trainer:
        return Schedule(
            trainer.num_epochs, trainer.num_iterations_per_epoch, trainer.num_val_iterations_per_epoch
        )


def inference_step(trainer_class: type[nnUNetTrainer], setting: Setting) -> Step:
    """The forward pass of one patch as nnUNetv2_predict runs it, without mirroring; not compiled."""
    network, input_shape = inference_network(trainer_class, setting.plans, setting.configuration, setting.dataset_json)
    network.to(setting.device)
    patch = torch.randn(input_shape, device=setting.device)

    def step() -> None:
        autocast = torch.autocast("cuda") if setting.device == "cuda" else nullcontext()
        with torch.inference_mode(), autocast:
            network(patch)

    return step


MODES: dict[str, Callable[[type[nnUNetTrainer], Setting], Step]] = {
    "training": training_step,
    "inference": inference_step,
}


def random_batch(trainer: nnUNetTrainer) -> dict[str, Any]:
    """What nnU-Net's data loader would give an initialised trainer, with noise as image and labels.

    data: `(B, channels, *patch)`. target: label maps `(B, 1, *spatial)`, or one channel per region; a list with one
    for each output of the network where the trainer supervises deeply.
    """
    targets = [_random_target(trainer, shape) for shape in target_shapes(trainer)]
    data = torch.randn(data_shape(trainer), device=trainer.device)
    return {"data": data, "target": targets if trainer.enable_deep_supervision else targets[0]}


def _random_target(trainer: nnUNetTrainer, shape: tuple[int, ...]) -> torch.Tensor:
    if trainer.label_manager.has_regions:
        return torch.rand(shape, device=trainer.device) < 0.5
    values = torch.tensor(trainer.label_manager.all_labels, dtype=torch.int16, device=trainer.device)
    return values[torch.randint(len(values), shape, device=trainer.device)]


@contextmanager
def throwaway_trainer(trainer_class: type[nnUNetTrainer], setting: Setting) -> Iterator[nnUNetTrainer]:
    """A trainer whose folders exist inside only; what it prints there is dropped."""
    with _throwaway_folders(setting), redirect_stdout(io.StringIO()):
        yield trainer_class(
            {**setting.plans, "continue_training": False}, setting.configuration, 0, setting.dataset_json,
            torch.device(setting.device),
        )  # fmt: skip


@contextmanager
def _throwaway_folders(setting: Setting) -> Iterator[None]:
    """nnU-Net's folders for the time in which a trainer is built; afterwards the environment is as it was."""
    manager = PlansManager(setting.plans)
    data = Path(manager.dataset_name, manager.get_configuration(setting.configuration).data_identifier)
    with tempfile.TemporaryDirectory(prefix="skipx_profile_") as folder:
        names = ("nnUNet_preprocessed", "nnUNet_results")
        preprocessed = Path(folder, "nnUNet_preprocessed", data)
        preprocessed.mkdir(parents=True)
        (preprocessed / "case.b2nd").touch()  # nnU-Net tells the kind of data set by its files
        with environment({name: str(Path(folder, name)) for name in names} | {"nnUNet_wandb_enabled": "0"}):
            yield


@contextmanager
def environment(wanted: dict[str, str]) -> Iterator[None]:
    """Inside, these environment variables have these values; afterwards the environment is as it was."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
