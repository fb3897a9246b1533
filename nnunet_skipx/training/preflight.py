"""A step on zeros before the workers start, so that what cannot work fails at once and as itself."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import torch
from torch._dynamo import OptimizedModule
from torch._dynamo.exc import TorchDynamoException
from torch._inductor.runtime.cache_dir_utils import cache_dir
from torch.nn.parallel import DistributedDataParallel

from nnunet_skipx.nnunet.batches import zero_batch
from nnunet_skipx.nnunet.wrappers import uncompiled
from nnunet_skipx.training.thin_patches import require_patch_for_workers

if TYPE_CHECKING:
    from nnunet_skipx.training.trainer import SkipTrainer

OUT_OF_CPU_MEMORY = "DefaultCPUAllocator"  # torch raises a bare RuntimeError with this word


def preflight(trainer: "SkipTrainer") -> None:
    """One forward and backward pass of an initialised trainer on zeros; weights, buffers and random numbers stay.

    Where the network cannot be compiled (no Triton, for example) it is trained without, and the log says so.

    Raises:
        RuntimeError: the batch does not fit into the memory of the device, or the workers cannot augment such patches;
            says what would do.
    """
    require_patch_for_workers(trainer)
    trainer.set_deep_supervision_enabled(trainer.enable_deep_supervision)
    with unchanged(trainer), fitting(trainer), told_if_compiled(trainer):
        try:
            forward_and_backward(trainer)
        except TorchDynamoException as error:
            reason = " ".join(str(error).split("\n")[:2])  # torch names the backend first, then what it said
            trainer.network = uncompiled(trainer.network)
            trainer.print_to_log_file(f"torch.compile failed, training goes on without it: {reason}")
            forward_and_backward(trainer)


def forward_and_backward(trainer: "SkipTrainer") -> None:
    """As in nnU-Net's `train_step`, up to the gradients."""
    batch = zero_batch(trainer)
    on_gpu = trainer.device.type == "cuda"
    with torch.autocast("cuda") if on_gpu else nullcontext():
        loss = trainer.loss(trainer.network(batch["data"]), batch["target"])
    loss.backward()
    if on_gpu:
        torch.cuda.synchronize()  # errors come up here, not in the first epoch


@contextmanager
def told_if_compiled(trainer: "SkipTrainer") -> Iterator[None]:
    """Before a network is compiled inside, the log says how long that takes, and where what was compiled is kept."""
    network = trainer.network
    if isinstance(network, DistributedDataParallel):
        network = network.module
    if not isinstance(network, OptimizedModule):
        yield
        return
    trainer.print_to_log_file(
        f"Compiling, about {trainer.seconds_to_compile} s, or a few seconds where an earlier fold has left its kernels "
        f"in {cache_dir()} (TORCHINDUCTOR_CACHE_DIR)"
    )
    start = time.perf_counter()
    yield
    trainer.print_to_log_file(f"First step after {time.perf_counter() - start:.0f} s")


@contextmanager
def unchanged(trainer: "SkipTrainer") -> Iterator[None]:
    """Afterwards the network is as it was: mode, gradients, statistics of batch norm, random numbers."""
    modes = {module: module.training for module in trainer.network.modules()}
    buffers = {buffer: buffer.clone() for buffer in trainer.network.buffers()}
    trainer.network.train()
    gpus = [trainer.device] if trainer.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=gpus):
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for buffer, before in buffers.items():
            buffer.copy_(before)
        for parameter in trainer.network.parameters():
            parameter.grad = None


@contextmanager
def fitting(trainer: "SkipTrainer") -> Iterator[None]:
    """Inside, running out of memory becomes an error that says with what, and what to do."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and OUT_OF_CPU_MEMORY not in str(error):
            raise
        where = f"the GPU ({gigabytes(trainer.device)})" if trainer.device.type == "cuda" else "this machine"
        patch = "x".join(map(str, trainer.configuration_manager.patch_size))
        dataset = trainer.plans_manager.dataset_name
        raise RuntimeError(
            f"the memory of {where} is too small to train {type(trainer).__name__} on patches of {patch}, "
            f"{trainer.batch_size} in a batch: plan for the memory that there is with `skipx plan -d {dataset} -a "
            f"{type(trainer.bare_network).__name__} --vram GB`, or end what else runs there"
        ) from error


def gigabytes(device: torch.device) -> str:
    """What is free and what there is."""
    free, total = torch.cuda.mem_get_info(device)
    return f"{free / 2**30:.1f} of {total / 2**30:.1f} GB free"
