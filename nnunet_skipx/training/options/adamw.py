"""`_adamw`: the optimiser that attention is trained with inside nnU-Net, for our trainers and for the baseline."""

from typing import ClassVar

import torch
from nnunetv2.training.lr_scheduler.warmup import PolyLRScheduler_offset

from nnunet_skipx.training.options.base import TrainerOption


class WarmUpPolyLR(PolyLRScheduler_offset):
    """nnU-Net's polynomial decay behind a linear warm-up over `start_step` epochs."""

    def step(self, current_step: int | None = None) -> None:
        """Set the learning rate of epoch `current_step`."""
        super().step(current_step)
        epoch = self.ctr - 1 if current_step in (None, -1) else current_step
        if epoch < self.start_step:
            for group in self.optimizer.param_groups:
                group["lr"] = self.initial_lr * (epoch + 1) / self.start_step


class AdamWOption(TrainerOption):
    """`_adamw`: AdamW 3e-4, weight decay 5e-2, warm-up over the first twentieth of the epochs, gradient norm at most 1.

    The recipe of nnU-Net's own transformer trainers (Primus). nnU-Net's step clips the gradient's norm at 12; the
    optimiser clips it once more, at 1, before it steps.
    """

    peak_lr: ClassVar[float] = 3e-4
    largest_gradient_norm: ClassVar[float] = 1.0

    def set_up(self) -> None:
        """Learning rate and weight decay."""
        self.initial_lr = self.peak_lr
        self.weight_decay = 5e-2

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, PolyLRScheduler_offset]:
        """AdamW that clips, and its schedule."""
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(
            parameters, self.initial_lr, betas=(0.9, 0.98), weight_decay=self.weight_decay, fused=True
        )

        def clip(*unused: object) -> None:
            torch.nn.utils.clip_grad_norm_(parameters, self.largest_gradient_norm)

        optimizer.register_step_pre_hook(clip)
        warm_up = min(max(1, self.num_epochs // 20), self.num_epochs - 1)
        return optimizer, WarmUpPolyLR(optimizer, self.initial_lr, self.num_epochs, warm_up)
