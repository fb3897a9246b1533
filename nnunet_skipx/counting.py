"""Parameters and operations of a network on the meta device: counted, nothing is computed."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

# Products on the meta device for which torch's counter has no formula: it counts 0, without a word.
PRODUCTS = {f"aten.{name}" for name in ("mv", "addmv", "dot", "vdot", "addbmm", "_trilinear", "_cdist_forward")}

# What starts weights: on the meta device there are none, and torch goes long ways in Python to find that out.
STARTS = {getattr(nn.init, name) for name in vars(nn.init) if name.endswith("_") and not name.startswith("_")}
STARTS |= {torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.fill_, torch.Tensor.zero_}

# What norms, activations, sums and resizing do on the meta device takes most of counting, and none of it is counted.
FREE = {
    getattr(place, f"{name}_norm") for place in (torch, functional) for name in ("instance", "batch", "group", "layer")
}
FREE |= {functional.leaky_relu, functional.relu, functional.gelu, torch.Tensor.clamp_min}
IN_PLACE = {torch._C._nn.leaky_relu_, torch.relu_, torch.Tensor.add_, torch.Tensor.square_}
PAIRWISE = {torch.Tensor.add, torch.Tensor.sub, torch.Tensor.mul, torch.Tensor.div}


@contextmanager
def built_to_count() -> Iterator[None]:
    """Networks that are built inside lie on the meta device and are not started: nothing will be computed with them."""
    with torch.device("meta"), _NotStarted():
        yield


class _NotStarted(TorchFunctionMode):
    """Leaves tensors of the meta device that would be filled as they are."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in STARTS:
            tensor = args[0] if args else (kwargs or {})["tensor"]
            if tensor.is_meta:
                return tensor
        return func(*args, **(kwargs or {}))


class _FreeMaps(TorchFunctionMode):
    """Leaves what is not counted out; results have the size and type that they would have.

    What lies elsewhere than on the meta device is computed: a network may decide by it.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        x = args[0] if args else (kwargs or {}).get("input")
        if isinstance(x, torch.Tensor) and x.is_meta and x.is_floating_point():
            if func in FREE:
                return torch.empty_like(x)
            if func in IN_PLACE:
                return x
            if func in PAIRWISE and len(args) == 2 and not kwargs and isinstance(args[1], torch.Tensor):
                shape = torch.broadcast_shapes(x.shape, args[1].shape)
                return x.new_empty(shape, dtype=torch.result_type(x, args[1]))
            if func is functional.interpolate and (size := (kwargs or {}).get("size")) is not None:
                axes = [size] * (x.dim() - 2) if isinstance(size, int) else size
                return x.new_empty((*x.shape[:2], *axes))
        return func(*args, **(kwargs or {}))


def parameters(network: nn.Module) -> int:
    """Numbers that a network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def forward_flops(network: nn.Module, input_shape: tuple[int, ...]) -> int:
    """Multiplications and additions of convolutions, matrix products and attention; the rest counts as free.

    network: on the meta device. Raises RuntimeError when the count falls short of the network's own convolutions, or
    when the network computes a product that the counter has no formula for.
    """
    counter, products = FlopCounterMode(display=False), _Products()
    with torch.no_grad(), _FreeMaps(), _convolution_flops(network) as convolutions, counter, products:
        network(torch.empty(input_shape, device="meta"))
    counted = counter.get_total_flops()
    if uncounted := products.seen - {str(operation) for operation in flop_registry}:
        raise RuntimeError(
            f"The FLOP counter of torch {torch.__version__} has no formula for "
            f"{', '.join(sorted(uncounted))}, which {type(network).__name__} uses: its GFLOPs would be "
            "too low. Write that product as a matrix product or a convolution."
        )
    if counted == 0 or counted < sum(convolutions):
        raise RuntimeError(
            f"The FLOP counter of torch {torch.__version__} saw {counted} operations, but the "
            f"convolutions of {type(network).__name__} alone need {sum(convolutions)}. "
            "Install the torch version of constraints.txt."
        )
    return counted


@contextmanager
def _convolution_flops(network: nn.Module) -> Iterator[list[int]]:
    """Collects the operations of each convolution layer that runs inside, by hand."""
    flops: list[int] = []

    def count(layer: _ConvNd, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        transposed = isinstance(layer, _ConvTransposeNd)
        places = (inputs[0] if transposed else output).shape[2:]
        flops.append(2 * inputs[0].shape[0] * prod(places) * layer.weight.numel())

    handles = [module.register_forward_hook(count) for module in network.modules() if isinstance(module, _ConvNd)]
    try:
        yield flops
    finally:
        for handle in handles:
            handle.remove()


class _Products(TorchDispatchMode):
    """Notes which of PRODUCTS run inside."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.seen |= {str(func.overloadpacket)} & PRODUCTS
        return func(*args, **(kwargs or {}))
