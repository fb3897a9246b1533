"""steps: a trainer's own training step and the prediction of a patch, on random data."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn

from nnunet_skipx.nnunet.batches import random_batch
from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.nnunet.throwaway import Setting
from nnunet_skipx.profiling import steps as module
from nnunet_skipx.profiling.steps import inference_step, training_step
from tests.contract import SMALL, SMALL_2D
from tests.plan_shapes import PlanShape, dataset_json, plans

FOLDERS = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
REGIONS = {"background": 0, "whole": [1, 2], "core": 2}


def setting(shape: PlanShape = SMALL, batch_size: int = 2, **labels: Any) -> Setting:
    content = plans(shape, batch_size)
    del content["continue_training"]  # nnU-Net's planner does not write it
    return Setting(content, "test", dataset_json() | labels, "cpu")


@pytest.fixture(autouse=True)
def no_folders_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FOLDERS:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", ["nnUNetTrainer", "nnUNetTrainerUTANet", "nnUNetTrainerUTANet_twin_bf16"])
def test_a_training_step_trains_and_gives_nnunets_loss(name: str) -> None:
    torch.manual_seed(0)
    step = training_step(find_trainer(name), setting())
    losses = [step()["loss"] for _ in range(6)]
    assert losses[-1] < losses[0], "the same batch again and again"


def test_the_step_is_the_trainers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Watching(nnUNetTrainer):
        def train_step(self, batch: dict) -> dict:
            seen.append((type(self.loss).__name__, type(self.optimizer).__name__, self.network.training, batch))
            return {}

    training_step(Watching, setting(batch_size=3))()
    loss, optimizer, training, batch = seen[0]
    assert (loss, optimizer, training) == ("DeepSupervisionWrapper", "SGD", True)
    assert batch["data"].shape == (3, 1, *SMALL.patch)


def test_stage2_keeps_its_frozen_encoder_in_evaluation_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    cls = find_trainer("nnUNetTrainerUTANet_stage2")
    monkeypatch.setattr(cls, "train_step", lambda self, batch: seen.append(self.bare_network.encoder.training))
    training_step(cls, setting())()
    assert seen == [False]


LABELS: dict[str, dict[str, Any]] = {
    "labels": {},
    "ignore": {"labels": {"background": 0, "a": 1, "b": 2, "ignore": 3}},
    "regions": {"labels": REGIONS, "regions_class_order": [1, 2]},
    "regions-ignore": {"labels": REGIONS | {"ignore": 3}, "regions_class_order": [1, 2]},
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS.keys())
@pytest.mark.parametrize("shape", [SMALL, SMALL_2D], ids=["3d", "2d"])
def test_labels_regions_and_the_ignore_label_give_a_finite_loss(labels: dict[str, Any], shape: PlanShape) -> None:
    assert torch.isfinite(torch.tensor(training_step(nnUNetTrainer, setting(shape, **labels))()["loss"]))


def test_a_cascade_gets_the_channels_of_the_stage_before() -> None:
    cascade = setting()
    cascade.plans["configurations"]["low"] = {"inherits_from": "test", "next_stage": "high"}
    cascade.plans["configurations"]["high"] = {"inherits_from": "test", "previous_stage": "low"}
    step = training_step(nnUNetTrainer, Setting(cascade.plans, "high", cascade.dataset_json, "cpu"))
    assert torch.isfinite(torch.tensor(step()["loss"]))


def trainer(**labels: Any) -> nnUNetTrainer:
    kept: list[nnUNetTrainer] = []

    class Kept(nnUNetTrainer):
        def initialize(self) -> None:
            super().initialize()
            kept.append(self)

    training_step(Kept, setting(**labels))
    return kept[0]


def test_the_batch_has_a_target_for_every_output() -> None:
    subject = trainer()
    batch = random_batch(subject)
    outputs = subject.network(batch["data"])
    assert [target.shape[2:] for target in batch["target"]] == [output.shape[2:] for output in outputs]
    assert set(batch["target"][0].unique().tolist()) == {0, 1, 2}
    assert batch["target"][0].shape[:2] == (2, 1)
    subject.enable_deep_supervision = False
    assert random_batch(subject)["target"].shape == (2, 1, *SMALL.patch)


def test_regions_have_a_channel_each_and_one_for_ignore() -> None:
    subject = trainer(**LABELS["regions-ignore"])
    target = random_batch(subject)["target"][0]
    assert target.shape[1] == 3
    assert target.dtype == torch.bool


def test_the_users_folders_and_loggers_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FOLDERS:
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("nnUNet_wandb_enabled", "1")
    before = dict(os.environ)
    training_step(nnUNetTrainer, setting())()
    assert not list(tmp_path.iterdir())
    assert dict(os.environ) == before


def test_the_environment_is_as_it_was_after_an_error() -> None:
    loggers: list[str] = []

    class Failing(nnUNetTrainer):
        def initialize(self) -> None:
            loggers.append(dict(os.environ)["nnUNet_wandb_enabled"])
            raise ValueError("no such stage")

    before = dict(os.environ)
    with pytest.raises(ValueError, match="no such stage"):
        training_step(Failing, setting())
    assert loggers == ["0"]
    assert dict(os.environ) == before


def test_inference_is_one_patch_without_gradients_or_deep_supervision(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, build = [], module.inference_network

    def watched(*arguments: Any) -> tuple[nn.Module, tuple[int, ...]]:
        network, shape = build(*arguments)
        network.register_forward_hook(
            lambda layer, inputs, output: seen.append(
                (layer.training, torch.is_inference_mode_enabled(), inputs[0].shape, output.shape)
            )
        )
        return network, shape

    monkeypatch.setattr(module, "inference_network", watched)
    inference_step(nnUNetTrainer, setting(batch_size=5))()
    assert seen == [(False, True, (1, 1, *SMALL.patch), (1, 3, *SMALL.patch))]
