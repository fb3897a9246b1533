"""What passes through the augmentation: a batch on its device, and the random numbers that belong to it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

Chosen = Sequence[tuple[int, dict[str, Any]]]  # a sample's place in the batch, and what its transform drew


@dataclass
class Batch:
    """image: (B, C, *spatial), float32. target: (B, channels, *spatial), or a list of such for deep supervision.

    noise: draws on the device.
    """

    image: torch.Tensor
    target: Any
    noise: torch.Generator

    def stand_in(self) -> torch.Tensor:
        """A sample's image (C, *spatial) in shape only: on the CPU, one number in memory."""
        return torch.zeros(()).expand(self.image.shape[1:])


class Draws:
    """Random numbers of our own: batchgeneratorsv2 draws from numpy's and torch's global generators.

    Drawing on the host, with batchgeneratorsv2's own code, gives the same distribution and never waits for the device.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.seed = seed
        self.noise = torch.Generator(device).manual_seed(seed)
        self._numpy = np.random.RandomState(seed).get_state()
        self._torch = torch.Generator().manual_seed(seed).get_state()

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Inside, the global generators are ours; outside, nobody notices."""
        before = np.random.get_state(), torch.get_rng_state()
        np.random.set_state(self._numpy)
        torch.set_rng_state(self._torch)
        try:
            yield
        finally:
            self._numpy, self._torch = np.random.get_state(), torch.get_rng_state()
            np.random.set_state(before[0])
            torch.set_rng_state(before[1])

    def move_to(self, device: torch.device) -> None:
        """Draw noise on another device; what is drawn on the host goes on."""
        self.noise = torch.Generator(device).manual_seed(self.seed)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        noise = {"device": self.noise.device.type, "state": self.noise.get_state()}
        return {"numpy": self._numpy, "torch": self._torch, "noise": noise}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on as the run that wrote the state would have; on another kind of device the noise begins anew."""
        self._numpy, self._torch = state["numpy"], state["torch"].cpu()
        if state["noise"]["device"] == self.noise.device.type:
            self.noise.set_state(state["noise"]["state"].cpu())
