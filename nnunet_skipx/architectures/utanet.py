"""UTANet (AAAI 2025) on nnU-Net's plans: the skips pass through a task-adaptive mixture of experts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from nnunet_skipx.architectures.any_size import any_size
from nnunet_skipx.architectures.unet import SkipUNet
from nnunet_skipx.skips.gates import MixtureOptions, Routing, RoutingKind, balance_loss
from nnunet_skipx.skips.ta_mosc import TAMoSC


class UTANet(SkipUNet):
    """nnU-Net's U-Net with TA-MoSC on its skips (UTANet, AAAI 2025).

    Args:
        input_channels, num_classes, deep_supervision, unet: see `SkipUNet`.
        embedding, num_experts, top_k, hidden_rate, routing: see `MixtureOptions`.
    """

    vram_reference = (175_000_000, 807_000_000)

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        deep_supervision: bool = False,
        *,
        embedding: int = 64,
        num_experts: int = 4,
        top_k: int = 2,
        hidden_rate: int = 2,
        routing: RoutingKind = "top_k",
        **unet: Any,
    ) -> None:
        super().__init__(input_channels, num_classes, deep_supervision, **unet)
        options = MixtureOptions(embedding, num_experts, top_k, hidden_rate, routing)
        self.skips = TAMoSC(self.ops, self.skip_channels, options)
        self.gates_spread = UTANet.gates_spread if routing == "top_k" else None
        self.keep_routing = False
        self.routing: Routing | None = None

    @any_size
    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits as `SkipUNet.forward`; with `keep_routing` a training pass also leaves `routing` for the loss."""
        *features, bottleneck = self.encoder(x)
        skips, routing = self.skips(features)
        if self.training and self.keep_routing:
            self.routing = routing
        return self.decoder([*skips, bottleneck])

    def auxiliary_loss(self) -> torch.Tensor:
        """The balance loss of the last training pass (UTANet, BEU), a scalar, once per pass; trainers weigh it by 0.01.

        Raises RuntimeError without a training pass before it; set `keep_routing` first (`nnunet_skipx.build` does).
        """
        if self.skips.gates is None:
            return super().auxiliary_loss()
        routing, self.routing = self.routing, None
        if routing is None:
            raise RuntimeError(
                "auxiliary_loss() belongs to a training pass: set keep_routing = True, call train(), run the network "
                "on a batch, then ask once"
            )
        return balance_loss(routing.probabilities.sum(0))

    def compute_conv_feature_map_size(self, input_size: Sequence[int]) -> np.int64:
        """Elements that the convolutions put out for one sample, the mixture included."""
        mixture = self.skips.compute_conv_feature_map_size(self.map_sizes(input_size))
        return super().compute_conv_feature_map_size(input_size) + np.int64(mixture)
