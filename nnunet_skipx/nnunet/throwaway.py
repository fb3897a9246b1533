"""A trainer of nnU-Net's that leaves nothing behind: no data, no results."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx.nnunet.as_planned import as_planned
from nnunet_skipx.nnunet.network_classes import require_known_networks
from nnunet_skipx.system.variables import environment


@dataclass(frozen=True)
class Setting:
    """A planned data set, one of its configurations, and the device: `cpu` or `cuda`."""

    plans: dict[str, Any]
    configuration: str
    dataset_json: dict[str, Any]
    device: str


@contextmanager
def throwaway_trainer(trainer_class: type[nnUNetTrainer], setting: Setting) -> Iterator[nnUNetTrainer]:
    """A trainer whose folders exist inside only; what it prints there is dropped.

    Raises:
        UnknownNetworkError: the plans name a class that is not imported.
        ValueError: no network can be built from what stands in the plans.
    """
    require_known_networks(setting.plans)
    with as_planned(setting.plans, setting.configuration), _throwaway_folders(setting), redirect_stdout(io.StringIO()):
        yield trainer_class(
            {**setting.plans, "continue_training": False},
            setting.configuration,
            0,
            setting.dataset_json,
            torch.device(setting.device),
        )


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
