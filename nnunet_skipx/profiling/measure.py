"""Seconds and peak memory of steps such as a training step, on the CPU and on a CUDA GPU."""

import multiprocessing
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nnunet_skipx.system.variables import environment

Step = Callable[[], object]
STATUS = Path("/proc/self/status")
# glibc's defaults but for the first, which has it give back at once what was freed; a user may have set others.
KEEP_NOTHING = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_TOP_PAD_": "131072"}
FORGET_THE_PEAK = Path("/proc/self/clear_refs")


def paired_seconds(steps: Mapping[str, Step], runs: int, warmup: int = 2) -> dict[str, list[float]]:
    """Seconds of every step in turn, A B A B ..., so that a drift of the machine's speed hits all alike.

    `warmup` rounds come first and are not returned.
    """
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for run in range(warmup + runs):
        for name, step in steps.items():
            _wait_for_gpu()
            start = time.perf_counter()
            step()
            _wait_for_gpu()
            if run >= warmup:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(seconds: Mapping[str, list[float]], ours: str, other: str) -> float:
    """Median of the ratios ours / other, pair by pair."""
    return statistics.median(a / b for a, b in zip(seconds[ours], seconds[other], strict=True))


def peak_memory(make_step: Callable[..., Step], *arguments: object) -> float:
    """MB that the first step adds to the resident memory of a fresh process, at its peak (Linux)."""
    return float(in_fresh_process(_added_by_first_step, make_step, arguments))


def memory_is_measurable() -> bool:
    """Whether this system tells a process the peak of its memory."""
    return os.access(FORGET_THE_PEAK, os.W_OK)


def resident_memory(make_step: Callable[[], Step]) -> float:
    """MB of this process, at the peak of a later step: all that was made for it and all that it keeps included.

    Memory that was freed earlier is used again, unseen: call it in a fresh process. Needs `memory_is_measurable`.
    """
    _load_what_torch_loads_late()
    before = _megabytes("VmRSS")
    step = make_step()
    step()  # optimisers make their state in the first step
    FORGET_THE_PEAK.write_text("5")
    step()
    return _megabytes("VmHWM") - before


def gpu_memory(make_step: Callable[[], Step], warmup: int = 3) -> tuple[Step, float]:
    """The step, and the MB of tensors on the GPU at its peak, all that was made for it included.

    What lay on the GPU before is not counted. A GradScaler may skip the optimiser's first steps, hence the warm-up.
    """
    before = torch.cuda.memory_allocated()
    step = make_step()
    for _ in range(warmup):
        step()
    torch.cuda.reset_peak_memory_stats()
    step()
    torch.cuda.synchronize()
    return step, (torch.cuda.max_memory_allocated() - before) / 2**20


def in_fresh_process(function: Callable[..., Any], *arguments: object) -> Any:
    """What `function(*arguments)` returns in a new Python process; its exception is raised here.

    What it prints goes to stderr. Function and arguments must pickle, and the calling program must be a module or a
    script, not stdin. Raises MemoryError where the system killed the process.
    """
    # Spawned, not forked: pages of libraries that a parent has touched would count as memory of the step.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, function, arguments), daemon=True)
    with _memory_given_back():
        process.start()
    sender.close()  # so that the death of the process ends the waiting
    try:
        succeeded, answer = receiver.recv()
    except EOFError:
        process.join()
        if process.exitcode == -signal.SIGKILL:
            raise MemoryError("the system killed the process, as it does when memory runs out") from None
        raise RuntimeError(f"a measuring process ended with code {process.exitcode} and no result") from None
    finally:
        process.kill()
        process.join()
    if not succeeded:
        raise answer
    return answer


def _wait_for_gpu() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


@contextmanager
def _memory_given_back() -> Iterator[None]:
    """Processes started inside return freed tensors to the system at once (glibc).

    Otherwise their peak depends on what the allocator kept: it varied by a tenth, and repeats to the MB with this.
    """
    with environment(KEEP_NOTHING):
        yield


def _answer(sender: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller hears it too, and ends this process
    try:
        with redirect_stdout(sys.stderr):
            answer = (True, function(*arguments))
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller raises it
        answer = (False, error)
    sender.send(answer)


def _added_by_first_step(make_step: Callable[..., Step], arguments: tuple[Any, ...]) -> float:
    step = make_step(*arguments)
    before = _megabytes("VmRSS")
    FORGET_THE_PEAK.write_text("5")
    step()
    return _megabytes("VmHWM") - before


def _load_what_torch_loads_late() -> None:
    """A tiny training step: it loads modules and starts threads that are no network's own."""
    layer = nn.Conv2d(1, 1, 3)
    optimizer = torch.optim.SGD(layer.parameters(), 1e-3)
    layer(torch.zeros(1, 1, 8, 8)).sum().backward()
    optimizer.step()


def _megabytes(field: str) -> float:
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024
