"""The memory at the peak of a trainer's training step, predicted without computing anything."""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from nnunet_skipx.counting import built_to_count
from nnunet_skipx.nnunet.batches import random_batch
from nnunet_skipx.nnunet.throwaway import Setting, throwaway_trainer
from nnunet_skipx.planning.half_precision import autocast_as_on_a_gpu, run_backward
from nnunet_skipx.planning.parts import BACKWARD, BATCH, BETWEEN, GRADIENTS, LOSS, OPTIMISER, WEIGHTS, named_parts
from nnunet_skipx.planning.storages import StorageTracker

CUDA_BLOCK = 512  # bytes of which torch's CUDA allocator takes multiples
# What a GPU holds besides tensors: CUDA's context, kernels, cuDNN's workspace, gaps of torch's allocator. An allowance,
# not a measurement.
CUDA_CONTEXT = 2**30
CONTEXT = "CUDA context, cuDNN workspace (allowance)"


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes at the peak of a training step, part by part, with the patch in voxels and the batch it holds for."""

    parts: dict[str, int]
    patch_size: tuple[int, ...]
    batch_size: int

    @property
    def peak(self) -> int:
        """Bytes in all."""
        return sum(self.parts.values())

    @property
    def fixed(self) -> int:
        """Bytes that depend neither on the patch nor on the batch."""
        return sum(self.parts.get(part, 0) for part in (WEIGHTS, OPTIMISER, CONTEXT))


def training_memory(trainer_class: type[nnUNetTrainer], setting: Setting) -> TrainingMemory:
    """The memory of a training step on fake tensors: forward, the trainer's loss, backward, clipping, its optimiser.

    The CPU computes in float32 and CUDA under autocast to float16, as nnU-Net has them; no GPU is needed for either.
    Of the CPU all tensors are counted, as `skipx profile` measures them; for CUDA also `CUDA_CONTEXT`. Not compiled.

    Args:
        trainer_class: a trainer for one data set, stock or ours.
        setting: its plans, and the device to predict for.
    """
    device = torch.device(setting.device)
    cuda = device.type == "cuda"
    with throwaway_trainer(trainer_class, replace(setting, device="cpu")) as trainer, built_to_count():
        trainer.device = torch.device("meta")
        trainer._do_i_compile = lambda: False
        trainer.initialize()
    tracker = StorageTracker(device, CUDA_BLOCK if cuda else 1)
    with FakeTensorMode(), tracker, autocast_as_on_a_gpu() if cuda else nullcontext():
        batch = _prepare(trainer, device, tracker)
        _step(trainer, batch, tracker)
    parts = {part: size for part, size in tracker.peak.items() if size}
    parts |= {CONTEXT: CUDA_CONTEXT} if cuda else {}
    return TrainingMemory(parts, tuple(trainer.configuration_manager.patch_size), trainer.batch_size)


def _prepare(trainer: nnUNetTrainer, device: torch.device, tracker: StorageTracker) -> dict[str, Any]:
    """Move an initialised trainer from the meta device to a fake one; returns a batch for it."""
    trainer.device = device
    with tracker.labelled(WEIGHTS):
        _make_weights(trainer.network, device)
    trainer.optimizer, _ = trainer.configure_optimizers()
    _make_optimiser_state(trainer.optimizer, tracker)
    for parameter in trainer.network.parameters():
        parameter.register_post_accumulate_grad_hook(lambda p: tracker.relabel(p.grad, GRADIENTS))
    for module, part in named_parts(trainer.network):
        module.register_forward_pre_hook(lambda *_, part=part: tracker.enter(part))
        module.register_forward_hook(lambda *_: tracker.leave())
    with tracker.labelled(BATCH):
        return random_batch(trainer)


def _make_weights(network: nn.Module, device: torch.device) -> None:
    """Give a network on the meta device uninitialised parameters and buffers on another (`to_empty` refuses fakes)."""
    for module in network.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                empty = torch.empty(parameter.shape, dtype=parameter.dtype, device=device)
                module._parameters[name] = nn.Parameter(empty, parameter.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device=device)


def _make_optimiser_state(optimizer: torch.optim.Optimizer, tracker: StorageTracker) -> None:
    """Optimisers make it in their first step."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    with tracker.labelled(OPTIMISER):
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    tracker.forget_peak()


def _step(trainer: nnUNetTrainer, batch: dict[str, Any], tracker: StorageTracker) -> None:
    """nnU-Net's `train_step`, less the scaler, whose memory is nothing, and what needs numbers."""
    trainer.optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cuda") if trainer.device.type == "cuda" else nullcontext():
        with tracker.labelled(BETWEEN):
            output = trainer.network(batch["data"])
        with tracker.labelled(LOSS):
            loss = trainer.loss(output, batch["target"])
    with tracker.labelled(BACKWARD):
        run_backward(loss)
        nn.utils.clip_grad_norm_(trainer.network.parameters(), 12)
    with tracker.labelled(OPTIMISER):
        trainer.optimizer.step()
