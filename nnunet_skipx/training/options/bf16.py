"""`_bf16`: bfloat16 instead of float16."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from nnunet_skipx.training.options.base import TrainerOption


class Bf16Option(TrainerOption):
    """`_bf16`: autocast to bfloat16 instead of float16, in training, validation and prediction; no GradScaler.

    For networks whose activations leave float16's range. On the CPU nnU-Net does not autocast. The steps change the
    default of autocast, because torch.compile traces the backward under the autocast around it; the network changes
    it once more for nnU-Net's predictor, which does not know the trainer.
    """

    def set_up(self) -> None:
        """No GradScaler."""
        self.grad_scaler = None  # bfloat16 has float32's range

    @staticmethod
    def changed(network: nn.Module) -> nn.Module:
        """The network, whose forward turns the autocast around it (nnU-Net's float16) into bfloat16."""
        network.forward = autocast_to_bfloat16(network.forward)
        return network

    def on_train_start(self) -> None:
        """nnU-Net's, with bfloat16 as the default of autocast: our trainers try a step here, and it is compiled."""
        with bfloat16_by_default(self.device.type):
            super().on_train_start()

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """nnU-Net's step, with bfloat16 as the default of autocast."""
        with bfloat16_by_default(self.device.type):
            return super().train_step(batch)

    def validation_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """nnU-Net's step, with bfloat16 as the default of autocast."""
        with bfloat16_by_default(self.device.type):
            return super().validation_step(batch)


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
