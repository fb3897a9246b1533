"""Trainings of several processes (DDP), on one machine or more: which one writes, and sums over all of them.

nnU-Net's trainers know `local_rank`, which is 0 once on every machine; here counts the rank among all.
"""

from typing import Any

import torch
from torch import distributed


def is_writing_process() -> bool:
    """Whether this process writes logs and checkpoints: the only one, or the first of all."""
    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor) -> torch.Tensor:
        summed = tensor.detach().clone()
        distributed.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        # every process's sum depends on this one's tensor
        gradient = gradients[0].contiguous().clone()
        distributed.all_reduce(gradient)
        return gradient


def sum_over_processes(tensor: torch.Tensor) -> torch.Tensor:
    """The sum of all processes' tensors of this shape, in each of them; gradients flow back to each."""
    summed: torch.Tensor = _Sum.apply(tensor)
    return summed
