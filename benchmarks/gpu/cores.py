"""A training with nnU-Net's own loading workers, on preprocessed cases made here, with 4, 8 and 16 CPU cores."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.dataloading.nnunet_dataset import comp_blosc2_params, nnUNetDatasetBlosc2

from nnunet_skipx.nnunet.throwaway import Setting
from nnunet_skipx.profiling.loading_run import (
    LoadingSetting,
    loading,
    measured,
    next_batch,
    opened,
    timed_steps,
    workers_ended,
)
from nnunet_skipx.system.variables import environment

CORES = (16, 8, 4)
WORKERS_OF_NNUNET = 12  # at most; one for each core
CASES = 5
BLOCKS = 8  # of labels along a case's side
PLACES_EVERY = 101  # voxels of a label, of which nnU-Net keeps some for its choice of patches


def with_loading(name: str, setting: Setting, larger: int, iterations: int) -> Iterator[dict[str, Any]]:
    """For each number of cores: the speed of loading and training side by side. The network is compiled once."""
    with tempfile.TemporaryDirectory(prefix="skipx_cases_") as folder, environment({"nnUNet_preprocessed": folder}):
        write_cases(Path(folder), setting, larger)
        loaded = LoadingSetting(**vars(setting), fold="all", iterations=iterations)
        with workers_ended(), opened(name, loaded) as trainer:
            with loading(trainer, 1) as loader:
                batch = next_batch(trainer, loader)
            step = timed_steps(trainer, batch, iterations)
            for cores in core_counts():
                pin(cores)
                row = measured(name, trainer, min(len(cores), WORKERS_OF_NNUNET), step, iterations)
                yield {f"{len(cores)} cores": vars(row)}


def core_counts() -> list[list[int]]:
    """The sets of cores to measure with: those of CORES that this process has, or all that it has."""
    mine = sorted(os.sched_getaffinity(0))
    return [mine[:number] for number in CORES if number <= len(mine)] or [mine]


def pin(cores: list[int]) -> None:
    """Restrict this process to these cores, the threads that it has already included."""
    for thread in os.listdir("/proc/self/task"):
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(int(thread), cores)


def write_cases(folder: Path, setting: Setting, larger: int) -> None:
    """Cases as nnU-Net preprocesses them: noise on blocks of labels, cut into chunks for the plan's patch."""
    configuration = setting.plans["configurations"][setting.configuration]
    patch = configuration["patch_size"]
    cases = folder / setting.plans["dataset_name"] / configuration["data_identifier"]
    cases.mkdir(parents=True)
    labels = len(setting.dataset_json["labels"])
    shape = (1, *(length + larger for length in patch))
    blocks, chunks = comp_blosc2_params(shape, patch)
    for number in range(CASES):
        image, target = case(shape, labels, number)
        places = {label: np.argwhere(target == label)[::PLACES_EVERY] for label in range(1, labels)}
        nnUNetDatasetBlosc2.save_case(
            image, target, {"class_locations": places}, str(cases / f"case_{number}"), chunks, blocks
        )


def case(shape: tuple[int, ...], labels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Image and labels (1, *spatial)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(labels, (1, 1, *[BLOCKS] * (len(shape) - 1)), generator=generator)
    target = torch.nn.functional.interpolate(coarse.float(), shape[1:])[0]
    image = torch.randn(shape, generator=generator) + target
    return image.numpy(), target.numpy().astype(np.int16)
