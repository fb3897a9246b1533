"""The machine that this runs on."""

import os
import platform
from pathlib import Path

import torch


def describe_machine(cuda: bool = False) -> str:
    """Processor or GPU, torch version and precision, for the line under a table."""
    version = f"torch {torch.__version__.split('+')[0]}"
    if cuda:
        return f"{torch.cuda.get_device_name()}, {version}, CUDA {torch.version.cuda}, float16 autocast"
    return f"{_processor()}, {os.cpu_count()} cores, {version}, float32"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown CPU")
