"""UNet++ keeps the contracts, computes what the papers' formula says, and can be cut to every depth."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.naive.nested import NaiveUNetPlusPlus
from nnunet_skipx.architectures import SkipUNet
from nnunet_skipx.architectures.unetplusplus import UNetPlusPlus
from nnunet_skipx.counting import built_to_count, forward_flops, parameters
from tests.contract import SMALL, SMALL_2D, NetworkContract, TrainerContract
from tests.plan_shapes import PLANNED, SHAPES, PlanShape

DEEP = PlanShape((32, 32), (1, 1), 5)


class TestUNetPlusPlus(NetworkContract, TrainerContract):
    network = UNetPlusPlus
    trainer = "nnUNetTrainerUNetPlusPlus"
    small = PlanShape((16, 24, 16), (1, 1, 1), 4)  # with three stages there is one nested node, which is always dense


def network_of(shape: PlanShape, residual: bool = False, **options: Any) -> UNetPlusPlus:
    """On nnU-Net's plans, whose plain decoders have two convolutions per stage and residual ones have one."""
    torch.manual_seed(0)
    return UNetPlusPlus(1, 3, True, **options, **plan(shape, residual)).double().eval()


def plan(shape: PlanShape, residual: bool = False) -> dict[str, Any]:
    convolutions = [1 if residual else 2] * (shape.stages - 1)
    return shape.architecture(residual=residual) | {"n_conv_per_stage_decoder": convolutions}


def image(shape: PlanShape, batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 1, *(min(n, 64) for n in shape.patch), dtype=torch.float64)


@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_equals_the_papers_formula(shape: PlanShape, residual: bool) -> None:
    network, x = network_of(shape, residual), image(shape)
    with torch.no_grad():
        for ours, naive in zip(network(x), NaiveUNetPlusPlus(network, x).logits(), strict=True):
            torch.testing.assert_close(ours, naive, rtol=1e-10, atol=1e-10)


OPTIONS = [{}, {"nodes": "chain"}, {"heads": False}, {"narrowing": 1}]


@pytest.mark.parametrize("options", OPTIONS, ids=["dense", "chain", "one head", "published"])
@pytest.mark.parametrize(
    ("shape", "residual"), [(SMALL, False), (SMALL_2D, True), (DEEP, False)], ids=["3d", "2d, residual", "2d, 5 stages"]
)
def test_equals_the_papers_formula_with_all_gradients(
    shape: PlanShape, residual: bool, options: dict[str, Any]
) -> None:
    network, x = network_of(shape, residual, **options).train(), image(shape, 2)
    results = []
    forwards: list[Callable] = [network, lambda x: NaiveUNetPlusPlus(network, x).logits()]
    for forward in forwards:
        network.zero_grad()
        logits = forward(x)
        sum(y.square().mean() for y in logits).backward()
        results.append([*logits, *(p.grad.clone() for p in network.parameters())])
    for ours, naive in zip(*results, strict=True):
        torch.testing.assert_close(ours, naive, rtol=1e-10, atol=1e-10)


def test_as_published_it_has_the_parameters_of_the_papers_table() -> None:
    """7.76 million without nested nodes and 9.04 million with them: 32 to 512 channels, two convolutions per node."""
    papers = plan(PlanShape((96, 96), (1, 1), 5)) | {"features_per_stage": [32, 64, 128, 256, 512]}
    with built_to_count():
        nested, stock = UNetPlusPlus(3, 1, narrowing=1, **papers), SkipUNet(3, 1, **papers)
    assert parameters(stock) == pytest.approx(7.76e6, rel=5e-3)
    assert parameters(nested) == pytest.approx(9.04e6, rel=5e-3)


@pytest.mark.parametrize(("name", "narrow", "published"), [("3d-128", 1.5, 5.0), ("2d-512", 1.7, 6.5)])
def test_it_takes_the_operations_that_its_page_names(name: str, narrow: float, published: float) -> None:
    shape, _ = PLANNED[name]
    x = (1, 1, *shape.patch)
    with built_to_count():
        stock = forward_flops(SkipUNet(1, 3, **plan(shape)).eval(), x)
        for narrowing, expected in ((4, narrow), (1, published)):
            network = UNetPlusPlus(1, 3, narrowing=narrowing, **plan(shape)).eval()
            assert forward_flops(network, x) / stock == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("options", [{}, {"nodes": "chain"}], ids=["dense", "chain"])
@pytest.mark.parametrize(
    ("shape", "residual"), [(DEEP, False), (PlanShape((16, 16, 16), (1, 1, 1), 4), True)], ids=["2d", "3d, residual"]
)
def test_cut_to_a_depth_it_says_what_that_branch_said_with_less_work(
    shape: PlanShape, residual: bool, options: dict[str, Any]
) -> None:
    whole, x = network_of(shape, residual, **options), image(shape)
    branches = NaiveUNetPlusPlus(whole, x)
    spent = []
    for depth in range(1, shape.stages - 1):
        cut = network_of(shape, residual, **options).prune(depth)
        cut.decoder.deep_supervision = False
        cut.load_state_dict({key: value for key, value in whole.state_dict().items() if key in cut.state_dict()})
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            logits = cut(x)
        torch.testing.assert_close(logits, branches.branch(depth), rtol=1e-10, atol=1e-10)
        spent.append((counter.get_total_flops(), parameters(cut), cut.compute_conv_feature_map_size(shape.patch)))
    with FlopCounterMode(display=False) as counter:
        whole(x)
    spent.append((counter.get_total_flops(), parameters(whole), whole.compute_conv_feature_map_size(shape.patch)))
    for less, more in itertools.pairwise(spent):
        assert all(a < b for a, b in zip(less, more, strict=True)), spent


def test_a_cut_network_has_nothing_that_gets_no_gradient() -> None:
    cut = network_of(DEEP).prune(2)
    (logits,) = cut(image(DEEP))
    logits.square().mean().backward()
    assert all(p.grad is not None for p in cut.parameters())


def test_a_training_pass_leaves_the_branches_for_the_loss_if_asked_to() -> None:
    network, x = network_of(DEEP), image(DEEP)
    for keep, training in ((False, True), (True, False)):
        network.keep_branches = keep
        network.train(training)(x)
        assert network.branches is None
    logits = network.train()(x)
    branches = network.branches
    assert branches is not None
    naive = NaiveUNetPlusPlus(network, x)
    for depth, ours in enumerate(branches, start=1):
        torch.testing.assert_close(ours, naive.branch(depth), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(logits[0], (sum(branches) + naive.branch(4)) / 4, rtol=1e-10, atol=1e-10)


def test_without_nested_nodes_it_is_the_stock_network() -> None:
    torch.manual_seed(0)
    stock = PlainConvUNet(input_channels=1, num_classes=3, deep_supervision=True, **plan(DEEP)).double().eval()
    network, x = network_of(DEEP, nodes="none"), image(DEEP)
    network.load_state_dict(stock.state_dict())
    torch.testing.assert_close(network(x), stock(x), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "depth", "said"),
    [
        ({}, 4, "those of depth 1, 2, 3 have"),
        ({}, 0, "those of depth 1, 2, 3 have"),
        ({"heads": False}, 1, "no nested node has"),
        ({"nodes": "none"}, 1, "no nested node has"),
    ],
)
def test_a_depth_without_a_head_is_refused(options: dict[str, Any], depth: int, said: str) -> None:
    with pytest.raises(ValueError, match=f"no U-Net of depth {depth} to prune to: {said} a head"):
        network_of(DEEP, **options).prune(depth)


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="'dense' or 'chain' or 'none'"):
        network_of(SMALL, nodes="sparse")
    with pytest.raises(ValueError, match="narrowing must be 1 or more, got 0"):
        network_of(SMALL, narrowing=0)
