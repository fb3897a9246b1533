"""What a network launches on a GPU in forward and backward, on fake CUDA tensors, which need neither GPU nor memory."""
from collections import Counter
from typing import Any

import torch
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch._subclasses.fake_tensor import FakeTensorMode

from nnunet_skipx.planning.half_precision import autocast_as_on_a_gpu, run_backward
from nnunet_skipx.planning.storages import StorageTracker
from nnunet_skipx.planning.training_memory import _make_weights
from nnunet_skipx.training.variants import trainer_class
from tests.plan_shapes import PlanShape, plans

CUDA = torch.device("cuda")
SIZES = {  # as nnU-Net plans for a GPU: shape and batch
    "3d": (PlanShape((128, 128, 128), (1, 1, 1), 6, features=32), 2),
    "2d": (PlanShape((512, 512), (1, 1), 8, features=32), 12),
}
TRAINERS = ("UTANet", "XUNet", "UDTransNet", "MSAUNet", "U2Net")

SMALL_OUTPUT, HUGE_INNER, LARGE_KERNEL = 256 * 256, 2**16, 4
PRODUCTS = {"mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1}  # where the first factor stands among the arguments
CONVOLUTIONS = {"convolution": (1, 3), "convolution_backward": (2, 4)}  # where weight and stride stand
NO_LAUNCH = {"_unsafe_view", "empty", "empty_like", "empty_strided", "new_empty", "lift_fresh", "promote_types"}


class Recorder(StorageTracker):
    """Counts the operations that launch kernels, and notes the products and convolutions that are slow on a GPU."""

    def __init__(self) -> None:
        super().__init__(CUDA)
        self.launches: Counter[str] = Counter()
        self.slow: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name = func.overloadpacket.__name__
        if func.namespace != "prim" and not func.is_view and name not in NO_LAUNCH:
            self.launches[name] += 1
        if name in PRODUCTS:
            self.look_at_product(name, *args[PRODUCTS[name] :][:2])
        elif name in CONVOLUTIONS:
            weight, stride = (args[position] for position in CONVOLUTIONS[name])
            self.look_at_convolution(name, weight.shape[2:], stride)
        return super().__torch_dispatch__(func, types, args, kwargs)

    def look_at_product(self, name: str, a: torch.Tensor, b: torch.Tensor) -> None:
        """A sum of many numbers for each of few outputs: one or two of the GPU's processors do it all."""
        if a.shape[-2] * b.shape[-1] < SMALL_OUTPUT and a.shape[-1] > HUGE_INNER:
            self.slow.append(f"{name} of {tuple(a.shape)} and {tuple(b.shape)}")

    def look_at_convolution(self, name: str, kernel: Any, stride: Any) -> None:
        """Large patches: cuDNN has no good algorithm for them."""
        if any(k == s > LARGE_KERNEL for k, s in zip(kernel, stride, strict=True)):
            self.slow.append(f"{name} with kernel and stride {tuple(kernel)}")


def variants() -> list[str]:
    """Every trainer with each of its own options; names without `nnUNetTrainer`. Twins launch parts of that."""
    names = []
    for trainer in TRAINERS:
        base: Any = trainer_class(f"nnUNetTrainer{trainer}")
        names += [trainer, *(f"{trainer}_{option}" for option in base.own_options)]
    return names


def recorded_step(name: str, size: str) -> Recorder:
    """Forward and backward of a variant's network, not compiled, under float16 autocast."""
    shape, batch = SIZES[size]
    manager = PlansManager(plans(shape, batch))
    trainer: Any = trainer_class(f"nnUNetTrainer{name}")
    with torch.device("meta"):
        network = trainer.build_network_architecture(manager, manager.get_configuration("test"), 1, 3, True).train()
    with FakeTensorMode(), Recorder() as recorder, autocast_as_on_a_gpu():
        _make_weights(network, CUDA)
        image = torch.empty(batch, 1, *shape.patch, device=CUDA)
        recorder.launches.clear()
        with torch.autocast("cuda"):
            logits = network(image)
        run_backward(torch.stack([y.float().mean() for y in logits]).sum())
    return recorder
