"""Counts the steps that the GradScaler skips, without waiting for the device to tell."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


class SkippedSteps:
    """How many steps were skipped because a gradient was not finite; the sum stays on the device until it is needed.

    GradScaler does not call an optimiser whose step it skips. One that is fused it calls with a `found_inf` of 1, with
    which the weights stay as they are.
    """

    def __init__(self) -> None:
        self.total: Any = 0  # a number, or a tensor on the device

    @contextmanager
    def watching(self, optimizer: torch.optim.Optimizer) -> Iterator[None]:
        """Inside, one step of the optimiser is asked for."""
        taken: list[Any] = []
        handle = optimizer.register_step_pre_hook(lambda *_: taken.append(getattr(optimizer, "found_inf", 0)))
        try:
            yield
        finally:
            handle.remove()
        self.total = self.total + (taken[0] if taken else 1)

    def count(self) -> int:
        """Skipped steps so far; waits for the device."""
        return int(self.total)
