"""Training and prediction of any network on random images, as `nnunet_skipx.profile` times them.

`python -m nnunet_skipx.api.steps FILE` prints the MB of a pickled `Order`, in a process of its own: a script that calls
`profile` needs no `if __name__ == "__main__"`.
"""

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from nnunet_skipx.api.build import build
from nnunet_skipx.profiling.measure import Step, resident_memory
from nnunet_skipx.system.interpreter import python

BALANCE = 0.01  # of a network's auxiliary loss, as our trainers weight it
LARGEST_NORM = 12  # of gradients, and the optimiser below: nnU-Net's


@dataclass(frozen=True)
class Order:
    """A network, by name with arguments of `build` or as a module, and the images `(B, channels, *patch)` it sees."""

    network: str | nn.Module
    patch: tuple[int, ...]
    channels: int
    batch_size: int
    device: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def made(self) -> nn.Module:
        """The network on its device."""
        network = build(self.network, **self.arguments) if isinstance(self.network, str) else self.network
        return network.to(self.device)

    def images(self, batch_size: int) -> torch.Tensor:
        """Noise of the patch's size."""
        return torch.randn((batch_size, self.channels, *self.patch), device=self.device)


def training_step(order: Order) -> Step:
    """Forward, cross-entropy and the network's auxiliary loss, backward, and a step of nnU-Net's SGD."""
    network, images = order.made().train(), order.images(order.batch_size)
    optimizer = torch.optim.SGD(network.parameters(), 1e-2, momentum=0.99, nesterov=True, weight_decay=3e-5)
    scaler = torch.amp.GradScaler(enabled=order.device == "cuda")
    auxiliary: Callable[[], Any] = getattr(network, "auxiliary_loss", lambda: 0)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with _autocast(order.device):
            loss = sum(cross_entropy(logits) for logits in outputs_of(network(images))) + BALANCE * auxiliary()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(network.parameters(), LARGEST_NORM)
        scaler.step(optimizer)
        scaler.update()

    return step


def inference_step(order: Order) -> Step:
    """The forward pass of one patch, without gradients."""
    network, images = order.made().eval(), order.images(1)

    def step() -> None:
        with torch.inference_mode(), _autocast(order.device):
            network(images)

    return step


MODES: dict[str, Callable[[Order], Step]] = {"training": training_step, "inference": inference_step}


def _autocast(device: str) -> Any:
    return torch.autocast("cuda") if device == "cuda" else nullcontext()


def outputs_of(output: Any) -> list[torch.Tensor]:
    """Logits, or those of every decoder stage."""
    return list(output) if isinstance(output, list | tuple) else [output]


def cross_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Against random labels of the logits' size."""
    shape = (len(logits), *logits.shape[2:])
    return F.cross_entropy(logits, torch.randint(logits.shape[1], shape, device=logits.device))


def memory_in_a_process(mode: str, order: Order) -> float | None:
    """MB of a step in a fresh process; None for a module that another process cannot make, as one of a notebook."""
    with tempfile.TemporaryDirectory(prefix="skipx_profile_") as folder:
        path = Path(folder, "order.pickle")
        try:
            path.write_bytes(pickle.dumps((mode, order)))
        except (pickle.PicklingError, AttributeError, TypeError):  # a class inside a function, a hook, an open file
            return None
        run = subprocess.run(
            python("-m", "nnunet_skipx.api.steps", str(path)), capture_output=True, text=True, check=False
        )
    return float(run.stdout) if run.returncode == 0 else None


def print_memory(path: Path) -> None:
    """Print the MB of an order; what it holds counts, too."""

    def make() -> Step:
        mode, order = pickle.loads(path.read_bytes())
        return MODES[mode](order)

    with redirect_stdout(sys.stderr):
        megabytes = resident_memory(make)
    print(megabytes)


if __name__ == "__main__":
    print_memory(Path(sys.argv[1]))
