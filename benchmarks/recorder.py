"""What a computation on fake CUDA tensors would launch, move and calculate on a GPU, operation by operation."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from benchmarks.traffic import CONVOLUTIONS, PRODUCTS, operations, tensors, traffic
from nnunet_skipx.planning.storages import StorageTracker

CUDA = torch.device("cuda")
PACKAGE = Path(__file__).parents[1] / "nnunet_skipx"
NETWORKS = tuple(str(PACKAGE / part) for part in ("kernels", "skips", "architectures"))
ELSEWHERE = "torch"  # autograd's own backward, and blocks of nnU-Net outside of our networks

SMALL_OUTPUT, HUGE_INNER, LARGE_KERNEL = 256 * 256, 2**16, 4
NO_LAUNCH = {"_unsafe_view", "empty", "empty_like", "empty_strided", "new_empty", "lift_fresh", "promote_types"}


class Recorder(StorageTracker):
    """Counts operations that launch kernels, their traffic and arithmetic; notes what is slow or wide on a GPU.

    Args:
        full: elements from which on a tensor counts as a map at full resolution.

    Attributes:
        launches: operations that launch a kernel at least, by name.
        bytes: what they read and write, by name.
        places: what they read and write, by the function of this package that calls them.
        operations: multiplications and additions, by what calculates them, see `traffic.operations`.
        wide: new maps at full resolution in float32 or float64, by the function of this package.
        slow: products and convolutions for which a GPU has no fast kernel.
    """

    def __init__(self, full: int = sys.maxsize) -> None:
        super().__init__(CUDA)
        self.full = full
        self.forget()

    def forget(self) -> None:
        """Count from zero."""
        self.launches: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.places: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self.wide: Counter[str] = Counter()
        self.slow: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        outputs = super().__torch_dispatch__(func, types, args, kwargs)
        name = func.overloadpacket.__name__
        if func.namespace != "prim" and not func.is_view and name not in NO_LAUNCH:
            moved, place = traffic(func, args, kwargs, outputs), caller()
            self.launches[name] += 1
            self.bytes[name] += moved
            self.places[place] += moved
            unit, count = operations(func, args, kwargs, outputs)
            self.operations[unit] += count
            self.wide[place] += self.new_wide_maps((args, kwargs), outputs)
            self.look_for_slow_kernels(name, args)
        return outputs

    def new_wide_maps(self, arguments: Any, outputs: Any) -> int:
        """How many; what is written in place is not new."""
        large = [x for x in tensors(outputs) if x.numel() >= self.full and x.dtype in (torch.float32, torch.float64)]
        given = {x.untyped_storage()._cdata for x in tensors(arguments)} if large else set()
        return sum(x.untyped_storage()._cdata not in given for x in large)

    def look_for_slow_kernels(self, name: str, args: tuple) -> None:
        """Products that sum many numbers for each of few outputs, which one or two of the GPU's processors do alone;
        convolutions of large patches, for which cuDNN has no good algorithm."""
        if (position := PRODUCTS.get(name.rstrip("_"))) is not None:
            a, b = args[position : position + 2]
            if a.shape[-2] * b.shape[-1] < SMALL_OUTPUT and a.shape[-1] > HUGE_INNER:
                self.slow.append(f"{name} of {tuple(a.shape)} and {tuple(b.shape)}")
        elif name in CONVOLUTIONS:
            weight, stride = (args[position] for position in CONVOLUTIONS[name])
            if any(k == s > LARGE_KERNEL for k, s in zip(weight.shape[2:], stride, strict=True)):
                self.slow.append(f"{name} with kernel and stride {tuple(weight.shape[2:])}")


def caller() -> str:
    """The innermost function of our mechanisms and networks that is running, as `file.function`.

    A comprehension is part of the function that it stands in, which has a frame of its own in some releases of Python.
    """
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith(NETWORKS) and not frame.f_code.co_name.startswith("<"):
            return f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}"
        frame = frame.f_back
    return ELSEWHERE
