"""What trainers cost on a planned data set: parameters, operations, memory and time, side by side on this machine."""

import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

import torch
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch.backends import cudnn

from nnunet_skipx.nnunet.planned import require_configuration
from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.nnunet.throwaway import Setting
from nnunet_skipx.profiling.cost import network_cost
from nnunet_skipx.profiling.measure import (
    Step,
    gpu_memory,
    in_fresh_process,
    memory_is_measurable,
    paired_seconds,
    ratio,
    resident_memory,
)
from nnunet_skipx.profiling.steps import MODES
from nnunet_skipx.system.machine import describe_machine
from nnunet_skipx.system.text_table import text_table


@dataclass(frozen=True)
class Use:
    """What one kind of step costs: seconds (median), their ratio to the first trainer's, and MB at the peak."""

    seconds: float
    time_ratio: float
    memory_mb: float | None  # None where the system does not tell


def profile(trainers: Sequence[str], setting: Setting, runs: int) -> dict[str, Any]:
    """Measure every trainer on this machine; returns what was measured and where, ready for JSON.

    Raises ValueError for arguments that do not fit and RuntimeError when memory runs out.
    """
    _check(trainers, setting, runs)
    with redirect_stdout(sys.stderr):  # nnU-Net's remarks
        costs = {
            name: network_cost(name, setting.plans, setting.configuration, setting.dataset_json) for name in trainers
        }
        uses = {mode: _measure(mode, trainers, setting, runs) for mode in MODES}
    rows = [
        {
            "trainer": name,
            "parameters": costs[name].parameters,
            "gflops": costs[name].gflops,
            **{f"{mode}_{key}": value for mode in MODES for key, value in vars(uses[mode][name]).items()},
        }
        for name in trainers
    ]
    return {"header": _header(setting, runs), "trainers": rows}


def profile_text(content: dict[str, Any]) -> str:
    """The profile for the terminal."""
    header, rows = content["header"], content["trainers"]
    patch = "x".join(map(str, header["patch_size"]))
    lines = [
        f"{header['dataset']}, {header['plans']}, {header['configuration']}: patch {patch}, batch "
        f"{header['batch_size']} in training and 1 in inference",
        f"{header['machine']}, {header['threads']} CPU threads; seconds are medians of {header['runs']} interleaved "
        f"runs; (1.00x) = {rows[0]['trainer']}",
        "",
        text_table([_text_row(row, rows[0]) for row in rows]),
    ]
    if rows[0]["training_memory_mb"] is None:
        lines += ["", "Memory is missing: this system does not tell a process its peak (Linux does)."]
    return "\n".join(lines)


def _text_row(row: dict[str, Any], first: dict[str, Any]) -> dict[str, str]:
    cells = {
        "trainer": row["trainer"],
        "parameters": f"{row['parameters'] / 1e6:.2f} M",
        "GFLOPs/patch": f"{row['gflops']:.2f}",
    }
    for mode in MODES:
        memory, other = row[f"{mode}_memory_mb"], first[f"{mode}_memory_mb"]
        cells[f"{mode} s/step"] = f"{row[f'{mode}_seconds']:.4g} ({row[f'{mode}_time_ratio']:.2f}x)"
        cells[f"{mode} MB"] = "-" if memory is None else f"{memory:.0f} ({memory / other:.2f}x)"
    return cells


def _check(trainers: Sequence[str], setting: Setting, runs: int) -> None:
    if setting.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("torch sees no CUDA GPU here: add -device cpu, or run `skipx doctor` on the GPU machine")
    if runs < 1:
        raise ValueError(f"--runs {runs} measures nothing: give 1 or more")
    if len(set(trainers)) < len(trainers):
        raise ValueError("a trainer is named twice; name each once")
    require_configuration(setting.plans, setting.configuration)


def _measure(mode: str, trainers: Sequence[str], setting: Setting, runs: int) -> dict[str, Use]:
    """Memory one trainer after the other, then time in turn."""
    cuda = setting.device == "cuda"
    cudnn.benchmark = cuda  # as nnUNetv2_train sets it
    steps, memory = {}, {}
    for name in trainers:
        print(f"{mode}: memory of {name}", file=sys.stderr)
        with _explained(mode, name, setting):
            make = _gpu_memory_and_step if cuda else _memory_and_step
            steps[name], memory[name] = make(mode, name, setting)
    print(f"{mode}: time of {', '.join(trainers)}", file=sys.stderr)
    with _explained(mode, ", ".join(trainers), setting):
        seconds = paired_seconds(steps, runs, warmup=1)
    return {
        name: Use(statistics.median(seconds[name]), ratio(seconds, name, trainers[0]), memory[name])
        for name in trainers
    }


def _gpu_memory_and_step(mode: str, trainer: str, setting: Setting) -> tuple[Step, float | None]:
    return gpu_memory(lambda: MODES[mode](find_trainer(trainer), setting))


def _memory_and_step(mode: str, trainer: str, setting: Setting) -> tuple[Step, float | None]:
    memory = in_fresh_process(_resident_memory, mode, trainer, setting) if memory_is_measurable() else None
    return MODES[mode](find_trainer(trainer), setting), memory


def _resident_memory(mode: str, trainer: str, setting: Setting) -> float:
    trainer_class = find_trainer(trainer)  # before the measurement: the search imports a lot
    return resident_memory(lambda: MODES[mode](trainer_class, setting))


@contextmanager
def _explained(mode: str, trainers: str, setting: Setting) -> Iterator[None]:
    """Inside, running out of memory becomes a RuntimeError that says with what, and what to do."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        on_gpu = isinstance(error, torch.OutOfMemoryError)
        if not (on_gpu or isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error)):
            raise
        where = "the GPU" if on_gpu else "this machine"
        patch = PlansManager(setting.plans).get_configuration(setting.configuration).patch_size
        raise RuntimeError(
            f"the memory of {where} is too small for {mode} with {trainers} on patches of "
            f"{'x'.join(map(str, patch))}: name fewer trainers with -tr, a smaller configuration with -c, or use a "
            "machine with more memory"
        ) from error


def _header(setting: Setting, runs: int) -> dict[str, Any]:
    manager = PlansManager(setting.plans)
    configuration = manager.get_configuration(setting.configuration)
    return {
        "dataset": manager.dataset_name,
        "plans": manager.plans_name,
        "configuration": setting.configuration,
        "patch_size": list(configuration.patch_size),
        "batch_size": configuration.batch_size,
        "device": setting.device,
        "machine": describe_machine(setting.device == "cuda"),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "runs": runs,
    }
