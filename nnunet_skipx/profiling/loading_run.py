"""A trainer on really preprocessed data with nnU-Net's own loading workers, timed with and without them."""

import io
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from batchgenerators.dataloading.nondet_multi_threaded_augmenter import NonDetMultiThreadedAugmenter
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.default_n_proc_DA import get_allowed_n_proc_DA

from nnunet_skipx.nnunet.folds import Fold
from nnunet_skipx.nnunet.names import dataset_number
from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.nnunet.throwaway import Setting
from nnunet_skipx.profiling.loading_advice import Loading, best_workers
from nnunet_skipx.system.cores import available_cores
from nnunet_skipx.system.variables import environment

WORKERS = "nnUNet_n_proc_DA"
WARMUP = 2  # steps: compilation, the choice of convolution algorithms, the optimiser's state
SPLITS = "splits_final.json"


@dataclass(frozen=True)
class LoadingSetting(Setting):
    """A setting, with the fold whose training cases are loaded and the iterations that a mean is taken over."""

    fold: Fold
    iterations: int


def measure_loading(name: str, setting: LoadingSetting) -> list[Loading]:
    """The trainer with each number of workers that `first_counts` gives, and with the best that follows from these.

    Raises NotImplementedError where `_gpuaug` cannot carry out the trainer's transforms, and RuntimeError when
    loading fails.
    """
    with workers_ended(), opened(name, setting) as trainer:
        counts = first_counts(setting.device)
        with loading(trainer, counts[0]) as loader:
            batch = next_batch(trainer, loader)
        step = timed_steps(trainer, batch, setting.iterations)
        rows = [measured(name, trainer, workers, step, setting.iterations) for workers in counts]
        best = best_workers(rows[-1], available_cores())
        if best not in counts:
            rows.append(measured(name, trainer, best, step, setting.iterations))
    return rows


def first_counts(device: str) -> list[int]:
    """Numbers of workers to measure: nnU-Net's own on a GPU; on the CPU 0 and 1, and what nnUNet_n_proc_DA says."""
    if device != "cpu":
        return [get_allowed_n_proc_DA()]
    return sorted({0, 1, *([get_allowed_n_proc_DA()] if WORKERS in os.environ else [])})


@contextmanager
def opened(name: str, setting: LoadingSetting) -> Iterator[nnUNetTrainer]:
    """An initialised trainer on the user's preprocessed data, which are only read.

    What nnU-Net writes goes to a folder that vanishes: results, and the splits where there are none yet.
    """
    trainer_class = find_trainer(name)
    with (
        tempfile.TemporaryDirectory(prefix="skipx_profile_") as folder,
        environment({"nnUNet_results": folder, "nnUNet_wandb_enabled": "0"}),
        _threads_of_training(setting.device),
    ):
        with redirect_stdout(io.StringIO()):
            trainer = trainer_class(
                {**setting.plans, "continue_training": False},
                setting.configuration,
                setting.fold,
                setting.dataset_json,
                torch.device(setting.device),
            )
            splits = Path(trainer.preprocessed_dataset_folder_base, SPLITS)
            trainer.preprocessed_dataset_folder_base = folder
            if splits.is_file():
                shutil.copy(splits, folder)
            trainer.initialize()
            trainer.on_train_epoch_start()
        yield trainer
    if setting.device == "cuda":
        torch.compiler.reset()  # torch compiles a forward for a few networks only
        torch.cuda.empty_cache()


@contextmanager
def _threads_of_training(device: str) -> Iterator[None]:
    """torch's threads as nnUNetv2_train sets them."""
    before = torch.get_num_threads()
    torch.set_num_threads((os.cpu_count() or 1) if device == "cpu" else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def workers_ended() -> Iterator[None]:
    """Processes started inside are gone afterwards, those of a loader that failed half-way included."""
    before = multiprocessing.active_children()
    try:
        yield
    finally:
        for process in multiprocessing.active_children():
            if process not in before:
                process.terminate()
                process.join()


@contextmanager
def loading(trainer: nnUNetTrainer, workers: int) -> Iterator[Any]:
    """nnU-Net's training loader with this many workers, and its validation loader beside it as in a training."""
    with environment({WORKERS: str(workers)}), _explained(trainer), redirect_stdout(io.StringIO()):
        loaders = trainer.get_dataloaders()
    try:
        yield loaders[0]
    finally:
        for loader in loaders:
            if hasattr(loader, "_finish"):
                loader._finish()


def next_batch(trainer: nnUNetTrainer, loader: Any) -> dict[str, Any]:
    """The next batch; RuntimeError that names the data when there is none."""
    with _explained(trainer):
        batch: dict[str, Any] = next(loader)
    return batch


@contextmanager
def _explained(trainer: nnUNetTrainer) -> Iterator[None]:
    try:
        yield
    except NotImplementedError:
        raise
    except Exception as error:
        plans, number = trainer.plans_manager.plans_name, dataset_number(trainer.plans_manager.dataset_name)
        raise RuntimeError(
            f"nnU-Net's data loader failed on {trainer.preprocessed_dataset_folder} with {type(error).__name__}: "
            f"{error}. A worker's own error stands further up; a damaged case is made again by nnUNetv2_preprocess "
            f"-d {number} -plans_name {plans} -c {trainer.configuration_name}"
        ) from error


@dataclass(frozen=True)
class StepTime:
    """Mean seconds of a step, and of this process's CPU time in it (all threads)."""

    seconds: float
    cpu_seconds: float


def timed_steps(trainer: nnUNetTrainer, batch: dict[str, Any], iterations: int) -> StepTime:
    """The trainer's steps on one batch. A mean, not a median: rare transforms on the device take their share."""
    for _ in range(WARMUP):
        trainer.train_step(batch)
    _wait_for(trainer.device)
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(iterations):
        trainer.train_step(batch)
    _wait_for(trainer.device)
    return StepTime((time.perf_counter() - start) / iterations, (time.process_time() - cpu) / iterations)


def measured(name: str, trainer: nnUNetTrainer, workers: int, step: StepTime, iterations: int) -> Loading:
    """Fresh workers: first how fast they load alone, then the training at their side."""
    with loading(trainer, workers) as loader:
        batch_seconds = loader_seconds(trainer, loader, workers, iterations) * min(max(workers, 1), available_cores())
        settle(trainer, loader)
        waited, cpu, start = 0.0, cpu_seconds(), time.perf_counter()
        for _ in range(iterations):
            asked = time.perf_counter()
            batch = next_batch(trainer, loader)
            waited += time.perf_counter() - asked
            trainer.train_step(batch)
        _wait_for(trainer.device)
        seconds, used = time.perf_counter() - start, cpu_seconds()
    cores_used = None if cpu is None or used is None else (used - cpu) / seconds
    return Loading(
        name,
        workers,
        step.seconds,
        step.cpu_seconds,
        batch_seconds,
        seconds / iterations,
        waited / seconds,
        cores_used,
    )


def loader_seconds(trainer: nnUNetTrainer, loader: Any, workers: int, iterations: int) -> float:
    """Seconds from batch to batch while nobody but the loader works: its queue is emptied first, and stays empty."""
    for _ in range(_stock(loader)):
        if _is_empty(loader):
            break
        next_batch(trainer, loader)
    for _ in range(workers + 1):  # finished meanwhile, or on their way from queue to queue
        next_batch(trainer, loader)
    batches = max(iterations, 3 * workers)
    start = time.perf_counter()
    for _ in range(batches):
        next_batch(trainer, loader)
    return (time.perf_counter() - start) / batches


def settle(trainer: nnUNetTrainer, loader: Any) -> None:
    """Train until the queue, empty now, stays so or is full: its stock neither hides starvation nor is being filled."""
    for _ in range(1 + _stock(loader)):
        trainer.train_step(next_batch(trainer, loader))
        if _is_empty(loader) or loader._queue.full():
            return


def _stock(loader: Any) -> int:
    """Batches that nnU-Net's loader may hold in its two queues and in the hands of its workers."""
    return 2 * loader.num_cached + loader.num_processes if isinstance(loader, NonDetMultiThreadedAugmenter) else 0


def _is_empty(loader: Any) -> bool:
    if not isinstance(loader, NonDetMultiThreadedAugmenter):
        return True
    return bool(loader.results_loop_queue.empty() and loader._queue.empty())


def cpu_seconds() -> float | None:
    """User and system seconds of this process and its living workers; None where the system does not tell (Linux)."""
    if not Path("/proc/self/stat").is_file():
        return None
    ticks = 0
    for process in multiprocessing.active_children():
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
