"""`_warm`: the same trainer from pretrained weights, in a folder of its own beside the one from scratch."""

from typing import Any

import torch

from nnunet_skipx.nnunet.wrappers import unwrap
from nnunet_skipx.training.options.base import TrainerOption


class WarmOption(TrainerOption):
    """`_warm`: a training that starts from `-pretrained_weights`, and does not start without.

    The trainer without the option is the one to compare with: the same from scratch.
    """

    is_resumed = False
    at_random: list[float] | None = None

    def configure_optimizers(self) -> Any:
        """nnU-Net's, which follow the network at once; notes what the network was before weights are loaded."""
        self.at_random = sums(unwrap(self.network))
        return super().configure_optimizers()

    def load_checkpoint(self, filename_or_checkpoint: dict[str, Any] | str) -> None:
        """nnU-Net's; this training has begun with weights."""
        super().load_checkpoint(filename_or_checkpoint)
        self.is_resumed = True

    def on_train_start(self) -> None:
        """Refuse to train from scratch.

        Raises:
            ValueError: no weights were loaded.
        """
        if not self.was_initialized:
            self.initialize()
        if not self.is_resumed and sums(unwrap(self.network)) == self.at_random:
            name = self.__class__.__name__
            raise ValueError(
                f"{name} starts from pretrained weights, and none were loaded: add -pretrained_weights "
                f"CHECKPOINT, or train {name.replace('_warm', '')}"
            )
        super().on_train_start()


def sums(network: torch.nn.Module) -> list[float]:
    """A number per tensor that another initialisation or training does not have."""
    with torch.no_grad():
        return [float(value.double().sum()) for value in network.parameters()]
