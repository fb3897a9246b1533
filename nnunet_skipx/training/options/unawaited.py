"""nnU-Net's training and validation steps without waits for the GPU: results come to the host once an epoch."""

import functools
from collections import deque
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from nnunetv2.training.loss.dice import get_tp_fp_fn_tn
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn

STEPS_AHEAD = 2  # of the host: enough to keep the device busy, few enough that batches do not pile up there
LARGEST_GRADIENT_NORM = 12  # nnU-Net's
Outputs = list[dict[str, Any]]


class UnawaitedSteps(nnUNetTrainer):
    """What `_fast` puts in place of nnU-Net's own steps, beneath every other class of a trainer.

    nnU-Net reads the loss after each step, and the counts of its online Dice after each validation batch; until then
    the host prepares nothing.
    """

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """nnU-Net's step; the loss stays on the device."""
        self.ahead.begin()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss_of(*self._on_device(batch))[0]
        if self.grad_scaler is None:
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT_NORM)
            self.optimizer.step()
        else:
            self.grad_scaler.scale(loss).backward()
            self.grad_scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT_NORM)
            self.grad_scaler.step(self.optimizer)
            self.grad_scaler.update()
        self.ahead.end()
        return {"loss": loss.detach()}

    def validation_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """nnU-Net's step: the loss, and hard true and false positives and false negatives per label or region."""
        self.ahead.begin()
        image, target = self._on_device(batch)
        loss, output = self._loss_of(image, target)
        if self.enable_deep_supervision:
            output, target = output[0], target[0]
        counts = self._counts(output, target)
        self.ahead.end()
        return {"loss": loss.detach(), **dict(zip(("tp_hard", "fp_hard", "fn_hard"), counts, strict=True))}

    def on_train_epoch_end(self, train_outputs: Outputs) -> None:
        """nnU-Net's, on the host."""
        super().on_train_epoch_end(on_host(train_outputs))

    def on_validation_epoch_end(self, val_outputs: Outputs) -> None:
        """nnU-Net's, on the host."""
        super().on_validation_epoch_end(on_host(val_outputs))

    @functools.cached_property
    def ahead(self) -> "Ahead":
        """Of this trainer's device."""
        return Ahead(self.device)

    def _on_device(self, batch: dict[str, Any]) -> tuple[torch.Tensor, Any]:
        image, target = batch["data"].to(self.device, non_blocking=True), batch["target"]
        if isinstance(target, list):
            return image, [x.to(self.device, non_blocking=True) for x in target]
        return image, target.to(self.device, non_blocking=True)

    def _loss_of(self, image: torch.Tensor, target: Any) -> tuple[torch.Tensor, Any]:
        autocast: AbstractContextManager[Any] = torch.autocast("cuda") if self.device.type == "cuda" else nullcontext()
        with autocast:
            output = self.network(image)
            return self.loss(output, target), output

    def _counts(self, output: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """True positives, false positives and false negatives `(labels,)`, without the background's."""
        labels = self.label_manager
        if labels.has_regions:
            predicted = (torch.sigmoid(output) > 0.5).long()
        else:
            predicted = torch.zeros_like(output, dtype=torch.float16).scatter_(1, output.argmax(1, keepdim=True), 1)
        mask = None
        if labels.has_ignore_label and labels.has_regions:
            mask, target = ~target[:, -1:].bool(), target[:, :-1]
        elif labels.has_ignore_label:
            counts = target != labels.ignore_label
            mask, target = counts.float(), target * counts
        axes = [0, *range(2, output.ndim)]
        found = get_tp_fp_fn_tn(predicted, target, axes=axes, mask=mask)[:3]
        return found if labels.has_regions else tuple(x[1:] for x in found)


class Ahead:
    """Keeps the host at most `STEPS_AHEAD` steps ahead of the device; elsewhere than on CUDA nothing is ahead."""

    def __init__(self, device: torch.device) -> None:
        self.on_cuda = device.type == "cuda"
        self.ends: deque[torch.cuda.Event] = deque()

    def begin(self) -> None:
        """Before a step: wait for the one that lies `STEPS_AHEAD` back."""
        if len(self.ends) == STEPS_AHEAD:
            self.ends.popleft().synchronize()

    def end(self) -> None:
        """Behind a step."""
        if self.on_cuda:
            self.ends.append(torch.cuda.Event())
            self.ends[-1].record()


def on_host(outputs: Outputs) -> Outputs:
    """Steps' outputs as arrays; one copy for each of their names."""
    columns = {name: torch.stack([output[name] for output in outputs]).cpu().numpy() for name in outputs[0]}
    return [{name: column[step, ...] for name, column in columns.items()} for step in range(len(outputs))]
