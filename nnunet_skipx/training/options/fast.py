"""`_fast`: nnU-Net's own training, the same mathematics in less time on a GPU."""

from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch._dynamo import OptimizedModule

from nnunet_skipx.training.memory_layout import lay_out_channels_last

FUSED_ON = ("cuda", "cpu")


class FastOption(nnUNetTrainer):
    """`_fast`: fused optimiser, compiled networks in channels-last order, and no step that waits for the GPU.

    `UnawaitedSteps` belongs to it, beneath the trainer that takes the option.
    """

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, Any]:
        """The trainer's optimiser, fused: one kernel for all weights, and GradScaler need not ask whether to step.

        nnU-Net calls this when the network is compiled and not yet wrapped for DDP, whose buckets take over the layout.
        """
        if isinstance(self.network, OptimizedModule):  # uncompiled, torch's instance norm would undo it in every layer
            lay_out_channels_last(self.network._orig_mod)
        optimizer, schedule = super().configure_optimizers()
        if self.device.type in FUSED_ON:
            for group in optimizer.param_groups:
                group.update(fused=True, foreach=False)
            optimizer._step_supports_amp_scaling = True  # as torch's constructors do
        return optimizer, schedule
