"""Paired timings and peak memory of one training step, on the CPU."""
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import torch

Step = Callable[[], None]


def paired_seconds(steps: dict[str, Step], runs: int, warmup: int = 2) -> dict[str, list[float]]:
    """Seconds of every step in turn, A B A B ..., so that a drift of the machine's speed hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for run in range(warmup + runs):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if run >= warmup:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(seconds: dict[str, list[float]], ours: str, other: str) -> float:
    """Median of the ratios ours / other, pair by pair."""
    return statistics.median(a / b for a, b in zip(seconds[ours], seconds[other], strict=True))


def peak_memory(make_step: Callable[..., Step], *arguments: object) -> float:
    """MB that one step adds to the resident memory of a fresh process, at its peak."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(sender, make_step, arguments))
    process.start()
    result = receiver.recv()
    process.join()
    return result


def _measure(sender: Connection, make_step: Callable[..., Step], arguments: tuple) -> None:
    step = make_step(*arguments)
    before = _megabytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the peak so far
    step()
    sender.send(_megabytes("VmHWM") - before)


def _megabytes(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def describe_machine() -> str:
    """Processor, cores and torch version, for the line under a table."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    return f"{model}, {os.cpu_count()} cores, torch {torch.__version__.split('+')[0]}, float32"
