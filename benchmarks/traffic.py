"""Bytes that an operation's kernels read from a GPU's memory and write to it, and how much they calculate."""

from collections.abc import Iterator
from math import prod
from typing import Any

import torch
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

PRODUCTS = {"mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1}  # where the first factor stands among the arguments
CONVOLUTIONS = {"convolution": (1, 3), "convolution_backward": (2, 4)}  # where weight and stride stand
# Operations that do not look at their first argument's numbers, besides factories such as zeros_like and new_full.
WRITERS = {"copy_", "zero_", "fill_", "bernoulli_", "uniform_", "normal_", "random_"}
FACTORIES = ("new_", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like")
# Kernels that go over their inputs again, with a sum over voxels in between that no cache bridges.
PASSES = {"native_batch_norm": 2, "native_batch_norm_backward": 2, "_softmax": 3, "_softmax_backward_data": 2}


def tensors(values: Any) -> Iterator[torch.Tensor]:
    """The tensors among arguments or outputs."""
    return (value for value in tree_leaves(values) if isinstance(value, torch.Tensor))


def size(x: torch.Tensor) -> int:
    """Bytes of the elements that a tensor's kernel touches; those of an expanded axis are one."""
    return x.itemsize * prod(n for n, stride in zip(x.shape, x.stride(), strict=True) if stride)


def traffic(func: Any, args: tuple, kwargs: dict, outputs: Any) -> int:
    """Bytes read and written, each argument once per pass and each output once; no cache, no reordering inside."""
    name = func.overloadpacket.__name__
    written = sum(map(size, tensors(outputs)))
    if name == "convolution_backward":
        grad, x, weight, mask = *args[:3], args[-1]
        return written + sum(mask) * size(grad) + mask[0] * size(weight) + mask[1] * size(x)
    if name.startswith(FACTORIES):
        return written
    read = args[1:] if name in WRITERS else args
    inputs = [value for key, value in kwargs.items() if not writes_only(func, key)]
    return written + PASSES.get(name, 1) * sum(map(size, tensors((read, inputs))))


def writes_only(func: Any, key: str) -> bool:
    """Whether a keyword argument is where an operation puts its result."""
    return any(argument.name == key and argument.is_out for argument in func._schema.arguments)


def operations(func: Any, args: tuple, kwargs: dict, outputs: Any) -> tuple[str, int]:
    """What multiplies and adds, "half" or "tf32" on tensor cores or "single" elsewhere, and how often, 0 for never.

    torch multiplies float32 maps in convolutions as TF32 by default, in matrix products not. Depthwise convolutions
    have no matrices for tensor cores.
    """
    name = func.overloadpacket.__name__
    if func.namespace == "nnunet_skipx":
        return "single", depthwise_operations(name, args, outputs)
    if name in CONVOLUTIONS:
        return convolution_operations(name, args, outputs)
    if (position := PRODUCTS.get(name.rstrip("_"))) is not None:
        a, b = args[position : position + 2]
        return precision(a, "single"), 2 * a.numel() * b.shape[-1]
    if func.overloadpacket in flop_registry:
        flops = flop_registry[func.overloadpacket](*args, **kwargs, out_val=outputs)
        return precision(args[0], "single"), flops
    return "single", 0


def convolution_operations(name: str, args: tuple, outputs: Any) -> tuple[str, int]:
    """By hand: torch's counter takes the gradient of a depthwise kernel for that of a full one."""
    if name == "convolution_backward":
        y, x, weight, *_, transposed, _, groups, mask = args
        directions = sum(mask[:2])
    else:
        x, weight, *_, transposed, _, groups = args
        y, directions = outputs, 1
    count = 2 * len(x) * prod((x if transposed else y).shape[2:]) * weight.numel() * directions
    depthwise = groups > 1 and groups == x.shape[1]
    return "single" if depthwise else precision(x, "tf32"), count


def depthwise_operations(name: str, args: tuple, outputs: torch.Tensor) -> int:
    """Of our own kernels: a product for each tap of each voxel of the convolution's output."""
    y = outputs if name == "depthwise" else args[0]
    return 2 * y.numel() * prod(args[2] if name == "depthwise_kernel_gradient" else args[1].shape[2:])


def precision(x: torch.Tensor, full: str) -> str:
    """The unit for half precision, or the one for `full`."""
    return "half" if x.dtype in (torch.float16, torch.bfloat16) else full
