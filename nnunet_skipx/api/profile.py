"""What networks cost, in a data frame."""

import copy
import statistics
from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from torch import nn
from torch.backends import cudnn

from nnunet_skipx.api.build import build, patch_of
from nnunet_skipx.api.steps import MODES, Order, memory_in_a_process
from nnunet_skipx.counting import forward_flops, parameters
from nnunet_skipx.profiling.measure import Step, gpu_memory, memory_is_measurable, paired_seconds, ratio
from nnunet_skipx.system.machine import describe_machine


def profile(
    *networks: str | nn.Module,
    dims: int | None = None,
    in_channels: int = 1,
    classes: int = 2,
    patch_size: Sequence[int] | None = None,
    batch_size: int = 2,
    device: str | None = None,
    runs: int = 3,
    memory: bool = True,
    **options: Any,
) -> pd.DataFrame:
    """Measure networks on random images of a patch, side by side on this machine, as `skipx profile` does trainers.

    Args:
        networks: names as `build` takes them, or modules that map `(B, in_channels, *patch)` to logits.
        dims, in_channels, classes, patch_size: as for `build`; a module has classes of its own.
        batch_size: of a training step; a prediction has 1.
        device: `cpu` or `cuda` (default: cuda where torch sees a GPU).
        runs: timed runs of each network and kind of step, in turn.
        memory: on the CPU each figure takes a process and some seconds; False leaves them out.
        options: of `build`, for every network that is named: spacing, residual, ...

    Returns:
        A line per network: parameters, gflops (1e9 operations of a forward pass of one patch), and of training and
        inference `_seconds` (median), `_time_ratio` (to the first network) and `_memory_mb` at the peak, NaN where
        that cannot be measured. What was measured where is in `attrs`. Modules keep their weights.

    Raises:
        ValueError: no network, one twice, no such name, a patch, device or number that cannot be.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    patch = patch_of(dims, patch_size)
    _check(networks, batch_size, device, runs)
    arguments = {"dims": dims, "in_channels": in_channels, "classes": classes, "patch_size": patch, **options}
    orders = {
        name_of(network, networks): Order(_own(network), patch, in_channels, batch_size, device, arguments)
        for network in networks
    }
    rows = {name: _counted(order) for name, order in orders.items()}
    cudnn.benchmark = device == "cuda"  # as nnUNetv2_train sets it
    for mode in MODES:
        for name, measured in _measured(mode, orders, runs, memory).items():
            rows[name] |= measured
    found = pd.DataFrame([{"network": name, **row} for name, row in rows.items()])
    found.attrs = {
        "patch_size": list(patch),
        "batch_size": batch_size,
        "device": device,
        "machine": describe_machine(device == "cuda"),
        "threads": torch.get_num_threads(),
        "runs": runs,
    }
    return found


def name_of(network: str | nn.Module, networks: Sequence[str | nn.Module]) -> str:
    """A network's name or class; numbered where several modules are of one class."""
    if isinstance(network, str):
        return network
    name = type(network).__name__
    alike = [other for other in networks if (other if isinstance(other, str) else type(other).__name__) == name]
    return name if len(alike) == 1 else f"{name} {1 + [id(other) for other in alike].index(id(network))}"


def _own(network: str | nn.Module) -> str | nn.Module:
    """A copy that may be trained."""
    return network if isinstance(network, str) else copy.deepcopy(network)


def _check(networks: Sequence[str | nn.Module], batch_size: int, device: str, runs: int) -> None:
    if not networks:
        raise ValueError("no network is named: give names such as 'UTANet', or modules")
    each = [network if isinstance(network, str) else id(network) for network in networks]
    if twice := [network for network, one in zip(networks, each, strict=True) if each.count(one) > 1]:
        name = twice[0] if isinstance(twice[0], str) else type(twice[0]).__name__
        raise ValueError(f"{name} is named twice: name each once")
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise ValueError(f"device {device!r} is none that torch sees here: give 'cpu', or look with `skipx doctor`")
    for name, value in (("batch_size", batch_size), ("runs", runs)):
        if value < 1:
            raise ValueError(f"{name}={value} measures nothing: give 1 or more")


def _counted(order: Order) -> dict[str, Any]:
    with torch.device("meta"):
        named = build(order.network, **order.arguments) if isinstance(order.network, str) else None
    network = named if named is not None else copy.deepcopy(order.network).to("meta")  # type: ignore[union-attr]
    shape = (1, order.channels, *order.patch)
    return {"parameters": parameters(network), "gflops": forward_flops(network.eval(), shape) / 1e9}


def _measured(mode: str, orders: dict[str, Order], runs: int, wanted: bool) -> dict[str, dict[str, Any]]:
    """Memory, if wanted, one network after the other, then time in turn."""
    steps, memory = {}, {}
    for name, order in orders.items():
        steps[name], memory[name] = _step_and_memory(mode, order, wanted)
    seconds = paired_seconds(steps, runs, warmup=1)
    return {
        name: {
            f"{mode}_seconds": statistics.median(seconds[name]),
            f"{mode}_time_ratio": ratio(seconds, name, next(iter(orders))),
            f"{mode}_memory_mb": float("nan") if memory[name] is None else memory[name],
        }
        for name in orders
    }


def _step_and_memory(mode: str, order: Order, wanted: bool) -> tuple[Step, float | None]:
    if wanted and order.device == "cuda":
        return gpu_memory(lambda: MODES[mode](order))
    memory = memory_in_a_process(mode, order) if wanted and memory_is_measurable() else None
    return MODES[mode](order), memory
