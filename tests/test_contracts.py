"""Every network and every trainer keeps its contract, and a contract that is broken says what to change."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nnunet_skipx.architectures import NETWORKS, SkipUNet
from nnunet_skipx.training.grammar import trainer_names
from tests.contract import SMALL, NetworkContract, TrainerContract

TESTS = Path(__file__).parent


def subclasses(cls: type) -> set[type]:
    return {cls}.union(*(subclasses(child) for child in cls.__subclasses__()))


def kept(contract: type, attribute: str) -> set[Any]:
    """What the classes of all test files that inherit a contract say it is kept by."""
    for path in TESTS.rglob("test_*.py"):
        if contract.__name__ in path.read_text():
            importlib.import_module(".".join(path.relative_to(TESTS.parent).with_suffix("").parts))
    return {getattr(cls, attribute) for cls in subclasses(contract) if hasattr(cls, attribute)}


def test_every_network_keeps_the_contract() -> None:
    missing = set(NETWORKS.values()) - kept(NetworkContract, "network")
    assert not missing, f"{missing}: add a class as tests/contract.py begins with"


def test_every_trainer_keeps_the_contract() -> None:
    missing = set(trainer_names()) - kept(TrainerContract, "trainer")
    assert not missing, f"{missing}: add a class as tests/contract.py begins with"


class Broken(SkipUNet):
    """A convolution that nobody uses, at a place where a checkpoint does not expect it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.extra = nn.Linear(2, 2)


class BrokenNetwork(NetworkContract):
    network = Broken


@pytest.mark.parametrize(
    ("test", "arguments", "cure"),
    [
        ("test_plans_can_name_it", (), r"belongs into broken\.py"),
        ("test_gradients_reach_every_parameter", (SMALL, "instance"), r"'extra\.weight'.*use them in forward"),
        (
            "test_gates_see_as_much_of_the_image_as_behind_batch_norm",
            (SMALL,),
            r"PerImage module .* gates_spread = None",
        ),
        ("test_a_stock_checkpoint_lacks_only_the_mechanism", (False,), r"all of a mechanism goes into self\.skips"),
        ("test_the_planners_estimate_counts_more_than_the_stock_network", (), "add them in compute_conv_feature_map"),
    ],
)
def test_a_network_that_breaks_the_contract_is_told_how_to_keep_it(test: str, arguments: tuple, cure: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(AssertionError, match=cure):
        getattr(BrokenNetwork(), test)(*arguments)


class OneExpert(TrainerContract):
    """Gates over one expert have nothing to choose, neither in the twin nor in the network."""

    trainer = "nnUNetTrainerUTANet"
    options = {"num_experts": 1, "top_k": 1}


def test_a_twin_that_is_the_network_at_these_widths_is_told_to_give_options() -> None:
    with pytest.raises(AssertionError, match=r"UTANet_\S+ computes what nnUNetTrainerUTANet computes .* give options"):
        OneExpert().test_the_twin_and_every_option_of_its_own_change_the_network(False)
