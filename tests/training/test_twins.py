"""Twins: widths that meet a budget, and names that mean something."""

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import nn

from nnunet_skipx.counting import built_to_count
from nnunet_skipx.training.grammar import trainer_names
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.twins import scaled_widths
from nnunet_skipx.training.variants import options_of, trainer_class
from tests.plan_shapes import PLANNED, PlanShape, plans

PLAN = PlanShape((16, 24, 16), (1, 1, 1), 4, features=6)  # what stands between stages may be one thing with 3
TRAINERS = [name for name in trainer_names() if trainer_class(name).twin is not None]


@given(st.lists(st.integers(16, 400), min_size=3, max_size=8), st.floats(0.3, 4), st.floats(0, 2))
def test_scaled_widths_meet_the_budget(widths: list[int], factor: float, linear: float) -> None:
    def cost(w: list[int]) -> float:
        return sum(a * b for a, b in itertools.pairwise(w)) + linear * sum(w)

    budget = cost(widths) * factor
    assert abs(cost(scaled_widths(widths, cost, budget)) / budget - 1) < 0.05


@given(st.lists(st.integers(1, 400), min_size=3, max_size=8))
def test_widths_that_have_the_budget_stay(widths: list[int]) -> None:
    def cost(w: list[int]) -> float:
        return sum(a * b for a, b in itertools.pairwise(w))

    assert scaled_widths(widths, cost, cost(widths)) == widths


def test_a_stage_keeps_a_channel_at_least() -> None:
    assert min(scaled_widths([1, 2, 4], lambda w: sum(w), 1)) >= 1


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("nnUNetTrainerUTANet_twin", [8, 16, 32, 64]),
        ("nnUNetTrainerXUNet_twin", [8, 18, 36, 71]),
        ("nnUNetTrainerUDTransNet_flopstwin", [9, 19, 37, 74]),
        ("nnUNetTrainerMSAUNet_twin", [8, 16, 33, 65]),
        ("nnUNetTrainerU2Net_twin", [2, 4, 8, 17]),
    ],
)
def test_widths_are_those_of_checkpoints_that_exist(name: str, widths: list[int]) -> None:
    shape, residual = PLANNED["3d-hippocampus-demo-residual"]
    manager = PlansManager(plans(shape, residual=residual))
    with built_to_count():
        network: Any = trainer_class(name).build_network_architecture(
            manager, manager.get_configuration("test"), 1, 3, False
        )
    assert network.encoder.output_channels == widths


def test_what_is_not_on_the_meta_device_is_started_all_the_same() -> None:
    with built_to_count():
        counted = nn.Linear(2, 2)
        real = nn.init.ones_(torch.empty(2, device="cpu"))
    assert counted.weight.is_meta
    assert real.tolist() == [1, 1]


def legal_names(trainer: str) -> list[str]:
    """Every name that options for the network make, in one order of the options."""
    others = ("epochs", "bf16", "gpuaug", "elastic", "fast", "adamw", "stage2", "warm", "demo", "from", "adapt")
    options = [option for option in options_of(trainer_class(trainer)) if not option.strip("{N}").startswith(others)]
    names = []
    for count in range(len(options) + 1):
        for chosen in itertools.combinations(options, count):
            try:
                names.append(trainer_class("_".join([trainer, *chosen])).__name__)
            except ValueError:
                continue
    return names


def what_is_trained(cls: type[SkipTrainer]) -> tuple[Any, ...]:
    """Something that two networks, or two ways to train one, do not share by chance."""
    manager = PlansManager(plans(PLAN))
    network = cls.build_network_architecture(manager, manager.get_configuration("test"), 1, 3, False).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(0.3 * torch.randn(p.shape, generator=generator))
        logits = network(torch.randn(2, 1, *PLAN.patch, generator=generator))
    return getattr(cls, "balance_weight", None), tuple(logits[..., 5].flatten().tolist())


@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.slow
def test_different_names_train_different_networks_or_train_them_otherwise(trainer: str) -> None:
    seen: dict[tuple[Any, ...], str] = {}
    for name in legal_names(trainer):
        found = what_is_trained(trainer_class(name))
        assert found not in seen, f"{name} is {seen[found]}"
        seen[found] = name
    assert len(seen) > 1


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_twin_says_what_it_does_without(trainer: str) -> None:
    base = trainer_class(trainer)
    assert base.removed == ()
    for option in options_of(base):
        if option.startswith("without-"):
            assert option.removeprefix("without-") in trainer_class(f"{trainer}_{option}").removed
    assert set(trainer_class(f"{trainer}_twin").removed) == set(base.twin.removes)
    assert set(base.twin.removes) <= base.ingredients.keys()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("U2Net_full_twin", "both say what 'convolutions' is"),
        ("U2Net_series_flopstwin", "both say what 'convolutions' is"),
        ("U2Net_full_series", "both say what 'convolutions' is"),
        ("U2NetUniversal_full_parallel", "both say what 'convolutions' is"),
        ("U2Net_full_without-separable", "both say what 'convolutions' is"),
        ("U2Net_without-residual_without-separable", "together, .* are '_twin'"),
        ("U2Net_twin_from500", "a universal run has no twins"),
        ("U2Net_without-residual_adapt500", "a universal run has no twins"),
        ("XUNet_attn_twin", "'_attn' changes nothing beside '_twin'"),
        ("XUNet_twin_flopstwin", "leave one of the two out"),
        ("MSAUNet_twin_without-head", "leave one of the two out"),
        ("MSAUNet_without-attention_alllevels", "'_alllevels' changes nothing"),
        ("MSAUNet_antialias_without-reinjection", "'_antialias' changes nothing"),
        ("MSAUNet_without-head_without-attention_without-reinjection", "together, .* are '_twin'"),
        ("MSAUNet_twin_stage2", "no trained U-Net fits into it"),
        ("UTANet_flopstwin", "as many operations, nnUNetTrainerUTANet_twin"),
        ("UTANet_without-mixing_without-balance", "'_without-balance' changes nothing"),
        ("UTANet_without-mixing_without-adaptivity", "both say what 'routing' is"),
        ("UDTransNet_dras_without-dra", "both say what 'recalibration' is"),
        ("UDTransNet_flopstwin_stage2", "no trained U-Net fits into it"),
        ("UTANet_1000epochs", "trained for 1000 epochs anyway"),
        ("UTANet_demo_5epochs", "trained for 5 epochs anyway"),
    ],
)
def test_names_that_mean_what_a_shorter_one_does_are_refused_with_the_cure(options: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refusal:
        trainer_class(f"nnUNetTrainer{options}")
    assert f"nnUNetTrainer{options}" in str(refusal.value)
