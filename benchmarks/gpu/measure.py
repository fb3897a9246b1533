"""What a row's own process does: yields figures as it has them, and asks for the machine before it takes a time.

`TURN` asks: what follows runs while all other rows stand still. `FIRST_STEP` says that the first training step is done,
whose time the scheduler knows, because it knows for how long the row stood still.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch.autograd import DeviceType
from torch.backends import cudnn

from benchmarks.augmentation_speed import memory_share, our_step
from benchmarks.gpu.augmented import augmenting_step
from benchmarks.gpu.cores import with_loading
from benchmarks.gpu.rows import Row
from benchmarks.gpu.sizes import Sizes
from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.profiling.cost import inference_network
from nnunet_skipx.profiling.loading_advice import augments_on_device
from nnunet_skipx.profiling.measure import Step, paired_seconds
from nnunet_skipx.profiling.steps import training_step
from nnunet_skipx.system.machine import describe_machine

TURN, FIRST_STEP = "turn", "first step"
Messages = Iterator[str | dict[str, Any]]
WARMUP = 3  # steps: a GradScaler may skip the optimiser's first ones
TOP = 10  # operations


class UnavailableError(Exception):
    """What this installation does not have, and so cannot measure."""


def machine(row: Row, sizes: Sizes) -> Messages:
    """On what all rows are measured."""
    if sizes.device == "cuda" and not torch.cuda.is_available():
        raise UnavailableError("torch sees no CUDA GPU here: add --device cpu, or --rehearsal")
    yield {"machine": describe_machine(sizes.device == "cuda")}


def made_step(row: Row, sizes: Sizes) -> Step:
    """The row's training step, with the augmentation where the name says so."""
    make = augmenting_step if augments_on_device(row.trainer) else training_step
    return make(trainer_of(row), sizes.setting(row.plan))


def trainer_of(row: Row) -> type[nnUNetTrainer]:
    """The row's trainer; UnavailableError where this installation has none of that name."""
    try:
        return find_trainer(row.trainer)
    except ValueError as error:
        raise UnavailableError(f"this installation has no trainer {row.trainer}") from error


def training(row: Row, sizes: Sizes) -> Messages:
    """Seconds and peak memory of a training step, and if it is compiled, what in it costs most.

    Compiling goes on beside other rows; cuDNN's search for fast algorithms, which times them, waits for the turn.
    """
    step = made_step(row, sizes)
    if row.compiled:
        # cuDNN remembers what it took for each value of the flag for TF32, which float16 convolutions ignore: what it
        # takes without a search while compiling is forgotten in the turn.
        cudnn.benchmark, cudnn.allow_tf32 = False, False
        step()
        yield FIRST_STEP
    yield TURN
    cudnn.benchmark, cudnn.allow_tf32 = True, True
    runs = paired_seconds({"step": step}, sizes.steps, WARMUP)["step"]
    yield {"runs": runs, "memory_mb": memory_of(step, sizes.device)}
    if row.compiled:
        yield {"operations": costliest(step, sizes.device)}


def first_step(row: Row, sizes: Sizes) -> Messages:
    """The first training step as a user waits for it: nothing compiled before, cuDNN's search included."""
    made_step(row, sizes)()
    yield FIRST_STEP


def augmentation(row: Row, sizes: Sizes) -> Messages:
    """`_gpuaug` alone: seconds of many batches, because each draws other transforms, and memory in batches."""
    yield TURN
    work = sizes.works[row.plan]
    yield {"runs": paired_seconds({"batch": our_step(work, sizes.device)}, 2 * sizes.steps)["batch"]}
    yield {"memory_share": memory_share(work, sizes.device)}


def prediction(row: Row, sizes: Sizes) -> Messages:
    """A whole volume as nnU-Net's predictor takes it: sliding window, half a patch apart, mirrored along all axes."""
    yield TURN
    setting = sizes.setting(row.plan)
    network, patch = inference_network(trainer_of(row), setting.plans, setting.configuration, setting.dataset_json)
    predictor = nnUNetPredictor(device=torch.device(sizes.device), allow_tqdm=False)
    plans = PlansManager(setting.plans)
    predictor.manual_initialization(
        network,
        plans,
        plans.get_configuration(setting.configuration),
        None,
        setting.dataset_json,
        row.trainer,
        (0, 1, 2),
    )
    predict = predictor.predict_sliding_window_return_logits
    predict(torch.randn(patch[1:]))  # cuDNN's search
    volume, runs = torch.randn(1, *sizes.volume), []
    timed = partial(paired_seconds, {"volume": lambda: predict(volume)}, runs=1, warmup=0)
    memory = memory_of(lambda: runs.extend(timed()["volume"]), sizes.device)
    yield {"runs": runs, "memory_mb": memory}


def cores(row: Row, sizes: Sizes) -> Messages:
    """The training with nnU-Net's own loading workers, on more and fewer CPU cores."""
    yield from with_loading(row.trainer, sizes.setting(row.plan), sizes.larger, sizes.iterations)


def memory_of(step: Step, device: str) -> float | None:
    """MB of tensors on the GPU at the step's peak, all that this process made included; None on the CPU."""
    if device == "cpu":
        step()
        return None
    torch.cuda.reset_peak_memory_stats()
    step()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() / 2**20


def costliest(step: Step, device: str) -> list[list[Any]]:
    """Name, milliseconds and calls of the kernels (on the CPU: operations) that take most of a step."""
    with torch.profiler.profile() as profiler:
        step()
    kind = DeviceType.CUDA if device == "cuda" else DeviceType.CPU
    events = [e for e in profiler.key_averages() if e.device_type == kind and not e.is_user_annotation]
    took = {True: lambda e: e.self_device_time_total, False: lambda e: e.self_cpu_time_total}[device == "cuda"]
    largest = sorted(events, key=took, reverse=True)[:TOP]
    return [[event.key, took(event) / 1000, event.count] for event in largest]


MEASURES: dict[str, Callable[[Row, Sizes], Messages]] = {
    "machine": machine,
    "steps": training,
    "fast": training,
    "first": first_step,
    "augmentation": augmentation,
    "prediction": prediction,
    "cores": cores,
}
