"""`_adamw`: schedule, clipping, and who has the last word on the optimiser."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_skipx.training.options.adamw import WarmUpPolyLR
from tests.training.small_trainer import make


@pytest.fixture
def initialized(folders: Path) -> Callable[[str], nnUNetTrainer]:
    def initialize(name: str) -> nnUNetTrainer:
        trainer = make(name)
        trainer.initialize()
        return trainer

    return initialize


def test_the_learning_rate_rises_to_its_peak_and_then_decays_to_zero() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    schedule = WarmUpPolyLR(optimizer, 3e-4, max_steps=1000, start_step=50)
    rates = []
    for epoch in range(1000):
        schedule.step(epoch)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates[0] == pytest.approx(3e-4 / 50)
    assert rates[49] == rates[50] == max(rates) == pytest.approx(3e-4)
    assert all(a < b for a, b in itertools.pairwise(rates[:50]))
    assert all(a > b for a, b in itertools.pairwise(rates[50:]))
    assert 0 < rates[-1] < 1e-6


def test_a_resumed_training_goes_on_with_the_rate_of_its_epoch() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    WarmUpPolyLR(optimizer, 3e-4, max_steps=1000, start_step=50).step(20)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(3e-4 * 21 / 50)


@pytest.mark.parametrize("name", ["nnUNetTrainer_adamw", "nnUNetTrainerUTANet_adamw"])
def test_the_gradient_is_clipped_to_norm_1_before_the_step(initialized: Callable, name: str) -> None:
    made = initialized(name)
    assert isinstance(made.optimizer, torch.optim.AdamW)
    assert made.optimizer.param_groups[0]["weight_decay"] == 5e-2
    assert made.optimizer.param_groups[0]["betas"] == (0.9, 0.98)
    parameters = list(made.network.parameters())
    for p in parameters:
        p.grad = torch.full_like(p, 100.0)
    made.optimizer.step()
    assert torch.nn.utils.get_total_norm([p.grad for p in parameters]) == pytest.approx(1, abs=1e-3)


def test_the_warm_up_takes_a_twentieth_of_the_epochs(initialized: Callable) -> None:
    assert initialized("nnUNetTrainer_adamw").lr_scheduler.start_step == 50
    assert initialized("nnUNetTrainer_adamw_200epochs").lr_scheduler.start_step == 10


def test_the_demo_keeps_its_own_optimiser(initialized: Callable) -> None:
    assert initialized("nnUNetTrainer_demo_adamw").optimizer.param_groups[0]["lr"] == pytest.approx(6e-3)
