"""Running means over images and amplified deviations as their definitions read; updates the buffers of our modules."""

import torch
from torch import nn

from nnunet_skipx.skips.image_level import MOMENTUM, Amplified, RunningMean


def amplified(module: Amplified | nn.Identity, pooled: torch.Tensor) -> torch.Tensor:
    """`module(pooled)`, `(B, *shape)`."""
    if not isinstance(module, Amplified):
        return pooled
    centre = running(module.mean, pooled.mean(0))
    return centre + module.gain * (pooled - centre)


def running(mean: RunningMean, of_batch: torch.Tensor) -> torch.Tensor:
    """A running mean, after the batch if it is in training."""
    if mean.training:
        mean.batches += 1
        weight = max(1 / float(mean.batches), MOMENTUM)
        mean.value.copy_((1 - weight) * mean.value + weight * of_batch.detach())
    return mean.value.clone()
