"""`_warm`: the same trainer from pretrained weights, in a folder of its own beside the one from scratch."""

from typing import Any, cast

from torch import nn

from nnunet_skipx.architectures.pretrained import TakesWeights
from nnunet_skipx.nnunet.wrappers import unwrap
from nnunet_skipx.training.options.base import TrainerOption
from nnunet_skipx.training.trainer import SkipTrainer


class WarmOption(TrainerOption):
    """`_warm`: a training that starts from `-pretrained_weights`, and does not start without.

    The trainer without the option is the one to compare with: the same from scratch.
    """

    is_resumed = False

    @staticmethod
    def changed(network: Any) -> nn.Module:
        """The network, which takes what fits of a file; nnU-Net's own would refuse one that lacks its decoder."""
        own = type(network)
        if not issubclass(own, TakesWeights):
            network.__class__ = taking_weights(own)
        return cast(nn.Module, network)

    def load_checkpoint(self, filename_or_checkpoint: dict[str, Any] | str) -> None:
        """nnU-Net's; this training has begun with weights."""
        super().load_checkpoint(filename_or_checkpoint)
        self.is_resumed = True

    def on_train_start(self) -> None:
        """Refuse to train from scratch; nnU-Net's own network has what was loaded in its log, too.

        Raises:
            ValueError: no weights were loaded.
        """
        if not self.was_initialized:
            self.initialize()
        start = unwrap(self.network).warm_start
        if start is None and not self.is_resumed:
            name = self.__class__.__name__
            raise ValueError(
                f"{name} starts from pretrained weights, and none were loaded: add -pretrained_weights "
                f"CHECKPOINT, or train {name.replace('_warm', '')}"
            )
        if start is not None and not isinstance(self, SkipTrainer):
            self.print_to_log_file(start)
        super().on_train_start()


def taking_weights(kind: type[nn.Module]) -> type[nn.Module]:
    """A class of networks that takes weights as ours do."""
    return type(kind.__name__, (TakesWeights, kind), {"__module__": __name__})
