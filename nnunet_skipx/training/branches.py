"""How the heads of nested nodes (UNet++) are trained, each by itself, so that every one of them can predict alone.

nnU-Net's loss sees the mean of them as the map of full resolution. As in `training/balance.py` a loss that wraps it
asks the network for the rest.
"""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from torch import nn

from nnunet_skipx.architectures.unetplusplus import UNetPlusPlus
from nnunet_skipx.training.trainer import SkipTrainer


class BranchLoss(nn.Module):
    """nnU-Net's loss, and while gradients are computed that of every branch, with the weight of full resolution.

    Args:
        loss: nnU-Net's loss, with or without deep supervision.
        take_branches: returns the logits of full resolution that the nested nodes made in the last training pass, once.
    """

    def __init__(self, loss: nn.Module, take_branches: Callable[[], Sequence[torch.Tensor]]) -> None:
        super().__init__()
        self.loss = loss
        self.take_branches = take_branches

    def forward(
        self, output: torch.Tensor | list[torch.Tensor], target: torch.Tensor | list[torch.Tensor]
    ) -> torch.Tensor:
        """The training loss; in validation (no gradients) nnU-Net's loss alone."""
        loss = self.loss(output, target)
        if not torch.is_grad_enabled():
            return loss
        finest = target[0] if isinstance(target, list) else target
        of_one, weight = self.loss, 1.0
        if isinstance(self.loss, DeepSupervisionWrapper):
            of_one, weight = self.loss.loss, self.loss.weight_factors[0]
        for logits in self.take_branches():
            loss = loss + weight * of_one(logits, finest)
        return loss


class BranchTrainer(SkipTrainer):
    """A trainer whose network has heads on nested nodes: adds a loss for each."""

    @property
    def bare_network(self) -> UNetPlusPlus:
        """The network without the wrappers of DDP and torch.compile."""
        return cast(UNetPlusPlus, super().bare_network)

    def take_branches(self) -> Sequence[torch.Tensor]:
        """What the nested nodes' heads said in the last training pass; can be taken once."""
        network = self.bare_network
        branches, network.branches = network.branches, None
        assert branches is not None, "the loss was asked for before a training pass of the network"
        return branches

    def _build_loss(self) -> nn.Module:
        loss = super()._build_loss()
        network = self.bare_network
        if not network.has_branches:
            return loss
        network.keep_branches = True
        return BranchLoss(loss, self.take_branches)
