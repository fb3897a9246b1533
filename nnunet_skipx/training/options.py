"""What the parts of a variant's name do: `_250epochs`, `_bf16`, `_demo` (`_twin` and `_stage2` need our networks)."""
import functools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from torch import nn


class EpochsOption(nnUNetTrainer):
    """`_{N}epochs`: train for N epochs instead of nnU-Net's 1000; the learning rate decays over the N."""

    epochs: ClassVar[int]

    def __init__(
        self,
        plans: dict,
        configuration: str,
        fold: int,
        dataset_json: dict,
        device: torch.device = torch.device("cuda"),  # noqa: B008
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_epochs = self.epochs


class Bf16Option(nnUNetTrainer):
    """`_bf16`: autocast to bfloat16 instead of float16, in training, validation and prediction; no GradScaler.

    For networks whose activations leave float16's range. On the CPU nnU-Net does not autocast. The steps change the
    default of autocast, because torch.compile traces the backward under the autocast around it; the network changes
    it once more for nnU-Net's predictor, which does not know the trainer.
    """

    def __init__(
        self,
        plans: dict,
        configuration: str,
        fold: int,
        dataset_json: dict,
        device: torch.device = torch.device("cuda"),  # noqa: B008
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.grad_scaler = None  # bfloat16 has float32's range

    @classmethod
    def build_network_architecture(
        cls,
        plans_manager: PlansManager,
        configuration_manager: ConfigurationManager,
        num_input_channels: int,
        num_output_channels: int,
        enable_deep_supervision: bool = True,
    ) -> nn.Module:
        """The network, whose forward turns the autocast around it (nnU-Net's float16) into bfloat16."""
        network = super().build_network_architecture(
            plans_manager, configuration_manager, num_input_channels, num_output_channels, enable_deep_supervision
        )
        network.forward = autocast_to_bfloat16(network.forward)
        return network

    def on_train_start(self) -> None:
        """nnU-Net's, with bfloat16 as the default of autocast: our trainers try a step here, and it is compiled."""
        with bfloat16_by_default(self.device.type):
            super().on_train_start()

    def train_step(self, batch: dict) -> dict:
        """nnU-Net's step, with bfloat16 as the default of autocast."""
        with bfloat16_by_default(self.device.type):
            return super().train_step(batch)

    def validation_step(self, batch: dict) -> dict:
        """nnU-Net's step, with bfloat16 as the default of autocast."""
        with bfloat16_by_default(self.device.type):
            return super().validation_step(batch)


class DemoOption(nnUNetTrainer):
    """`_demo`: the shortened schedule of `skipx demo`, 5 epochs of 40 iterations with AdamW 6e-3 and no mirroring.

    nnU-Net's own SGD schedule has learnt nothing after so few iterations, and at half this learning rate a class
    sometimes stays empty to the end. A trainer that diverges or stalls at it names another (`demo_learning_rate`).
    Mechanisms are narrowed as the demo's plans narrow the U-Net (`demo_kwargs`).
    Seeded by fold and epoch, so that a machine repeats its numbers, also after an interruption (with
    nnUNet_n_proc_DA=0). Not for results.
    """

    demo_epochs: ClassVar[int] = 5
    iterations_per_epoch: ClassVar[int] = 40
    learning_rate: ClassVar[float] = 6e-3

    def __init__(
        self,
        plans: dict,
        configuration: str,
        fold: int,
        dataset_json: dict,
        device: torch.device = torch.device("cuda"),  # noqa: B008
    ) -> None:
        seed_everything(fold, 0)
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_epochs = self.demo_epochs
        self.num_iterations_per_epoch = self.iterations_per_epoch
        self.num_val_iterations_per_epoch = 2
        self.initial_lr = getattr(self, "demo_learning_rate", None) or self.learning_rate
        self.save_every = 1

    def on_train_epoch_start(self) -> None:
        """nnU-Net's start of an epoch, with random numbers that do not depend on what ran before it."""
        seed_everything(self.fold, self.current_epoch)
        super().on_train_epoch_start()

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, PolyLRScheduler]:
        """AdamW with nnU-Net's polynomial decay."""
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(parameters, self.initial_lr, weight_decay=self.weight_decay)
        return optimizer, PolyLRScheduler(optimizer, self.initial_lr, self.num_epochs)

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self) -> tuple:
        """nnU-Net's augmentation without mirroring: left and right structures keep their sides."""
        rotation, dummy_2d, patch_size, _ = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        self.inference_allowed_mirroring_axes = None
        return rotation, dummy_2d, patch_size, None


def seed_everything(fold: int | str, epoch: int) -> None:
    """Seed Python, NumPy and torch for one epoch of a fold; "all" counts as fold 0."""
    seed = 12345 + (fold if isinstance(fold, int) else 0) + 1000 * epoch  # nnU-Net seeds its splits with 12345
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def bfloat16_by_default(device_type: str) -> Iterator[None]:
    """Inside, `torch.autocast(device_type)` without a dtype means bfloat16."""
    before = torch.get_autocast_dtype(device_type)
    torch.set_autocast_dtype(device_type, torch.bfloat16)
    try:
        yield
    finally:
        torch.set_autocast_dtype(device_type, before)


def autocast_to_bfloat16(forward: Any) -> Any:
    """`forward` under bfloat16 wherever autocast is on; unchanged elsewhere."""

    @functools.wraps(forward)
    def bfloat16_forward(x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        device = x.device.type
        if not (torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)):
            return forward(x)
        with torch.autocast(device, dtype=torch.bfloat16):
            return forward(x)

    return bfloat16_forward
