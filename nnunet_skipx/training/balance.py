"""How the balance loss of TA-MoSC reaches the gradient, and how the experts' usage reaches the log.

nnU-Net gives three ways to add a loss that depends on the inside of the network. We take the third:

* an extra output of the network counts on nnU-Net's deep supervision wrapper to drop it (it zips outputs with
  targets), and changes what every other user of the network sees;
* an identity whose backward injects the gradient must multiply it by the GradScaler's scale, which the network does
  not know, and the loss that nnU-Net logs would not contain it;
* a loss that wraps nnU-Net's and asks the network. It is part of the loss, so GradScaler, DDP and logging treat it
  like the rest. Its traps are the attribute that carries the routing, and each is closed by one line: the loss takes
  it and leaves None (never stale, never counted twice, no graph kept); only the outermost forward writes it, which
  activation checkpointing inside the network does not repeat; without a new training pass the loss refuses.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from torch import distributed, nn

from nnunet_skipx.architectures import UTANet
from nnunet_skipx.skips.gates import Routing, balance_loss
from nnunet_skipx.training.processes import sum_over_processes
from nnunet_skipx.training.trainer import SkipTrainer

DEFAULT_BALANCE_WEIGHT = 0.01


class BalancedLoss(nn.Module):
    """nnU-Net's loss plus a weighted balance loss (UTANet, BEU), while gradients are computed.

    Args:
        loss: nnU-Net's loss, with or without deep supervision.
        take_routing: returns what the gates decided in the last training pass, once.
        weight: of the balance loss; the source publishes none.
        ddp: sum the usage of the experts over all processes, so that the loss is that of the joined batch.
    """

    def __init__(self, loss: nn.Module, take_routing: Callable[[], Routing], weight: float, ddp: bool = False) -> None:
        super().__init__()
        self.loss = loss
        self.take_routing = take_routing
        self.weight = weight
        self.ddp = ddp
        self.balance_losses: list[torch.Tensor] = []
        self.selections: list[torch.Tensor] = []

    def forward(
        self, output: torch.Tensor | list[torch.Tensor], target: torch.Tensor | list[torch.Tensor]
    ) -> torch.Tensor:
        """The training loss; in validation (no gradients) nnU-Net's loss alone."""
        loss = self.loss(output, target)
        if not torch.is_grad_enabled():
            return loss
        routing = self.take_routing()
        usage = routing.probabilities.sum(0)
        if self.ddp:
            usage = sum_over_processes(usage)
        balance = balance_loss(usage)
        self.balance_losses.append(balance.detach())
        self.selections.append(routing.selected().mean(0))
        return loss + self.weight * balance

    def take_epoch(self) -> tuple[float, np.ndarray]:
        """Mean balance loss and share of each expert in each gate's choices `(G, N)` since the last call."""
        balance = torch.stack(self.balance_losses).mean().item()
        share = torch.stack(self.selections).mean(0)
        self.balance_losses, self.selections = [], []
        return balance, (share / share.sum(-1, keepdim=True)).cpu().numpy()


class BalancedTrainer(SkipTrainer):
    """A trainer whose network mixes experts: adds the balance loss and logs the experts' usage once per epoch."""

    balance_weight = DEFAULT_BALANCE_WEIGHT

    @property
    def bare_network(self) -> UTANet:
        """The network without the wrappers of DDP and torch.compile."""
        return cast(UTANet, super().bare_network)

    def take_routing(self) -> Routing:
        """What the gates decided in the last training pass; each can be taken once."""
        network = self.bare_network
        routing, network.routing = network.routing, None
        assert routing is not None, "the loss was asked for before a training pass of the network"
        return routing

    def initialize(self) -> None:
        """Register the log keys before their first use, as nnU-Net's logger demands."""
        super().initialize()
        if isinstance(self.loss, BalancedLoss):
            gates = len(self.bare_network.skip_channels)
            for key in ("balance_losses", *(usage_key(gate) for gate in range(gates))):
                self.logger.local_logger.my_fantastic_logging[key] = []

    def _build_loss(self) -> nn.Module:
        loss = super()._build_loss()
        network = self.bare_network
        if network.skips.gates is None:
            return loss
        network.keep_routing = True
        return BalancedLoss(loss, self.take_routing, self.balance_weight, self.is_ddp)

    def preflight(self) -> None:
        """One forward and backward pass on zeros, whose usage of the experts does not count."""
        super().preflight()
        if isinstance(self.loss, BalancedLoss):
            self.loss.take_epoch()

    def on_train_epoch_end(self, train_outputs: list[dict[str, Any]]) -> None:
        """Log the mean balance loss and, per gate, the share of each expert in the choices."""
        super().on_train_epoch_end(train_outputs)
        if not isinstance(self.loss, BalancedLoss):
            return
        balance, usage = self.loss.take_epoch()
        if self.is_ddp:
            everyones: list[Any] = [None] * distributed.get_world_size()
            distributed.all_gather_object(everyones, usage)
            usage = np.mean(everyones, axis=0)
        self.logger.log("balance_losses", balance, self.current_epoch)
        self.print_to_log_file(f"Balance loss: {balance:.4f}")
        for gate, shares in enumerate(usage):
            self.logger.log(usage_key(gate), [float(share) for share in shares], self.current_epoch)
            self.print_to_log_file(f"Expert usage gate {gate + 1}: [{' '.join(f'{share:.3f}' for share in shares)}]")


def usage_key(gate: int) -> str:
    """The log key of one gate's expert usage; gates count from 1 in everything a user sees."""
    return f"expert_usage_gate{gate + 1}"
