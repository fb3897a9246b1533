"""UCTransNet keeps the contracts and computes what the paper's equations say."""

import functools
from typing import Any

import pytest
import torch

from benchmarks.naive.uctransnet import naive_uctransnet
from nnunet_skipx.architectures import SkipUNet
from nnunet_skipx.architectures.uctransnet import UCTransNet
from nnunet_skipx.skips import cct_layer
from tests.contract import SMALL, SMALL_2D, NetworkContract, TrainerContract
from tests.plan_shapes import SHAPES, PlanShape

SIZE = {"heads": 2, "layers": 1}


class TestUCTransNet(NetworkContract, TrainerContract):
    network = UCTransNet
    trainer = "nnUNetTrainerUCTransNet"
    options = SIZE


def build(shape: PlanShape, **options: Any) -> UCTransNet:
    torch.manual_seed(0)
    architecture = shape.architecture(**{key: options.pop(key) for key in ("norm", "residual") if key in options})
    return UCTransNet(1, 3, True, patch_size=shape.patch, **SIZE | {"layers": 2} | options, **architecture)


@pytest.mark.parametrize("few", [0.0, 1e9], ids=["products of channels", "queries and keys"])
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        (SMALL, {}),
        (SMALL_2D, {"residual": True}),
        (SMALL_2D, {"fusion": False, "amplified": False}),
        (SMALL_2D, {"recalibration": False}),
        (SMALL_2D, {"norm": "batch"}),
    ],
    ids=["3d", "2d residual", "without CCT", "without CCA", "batch norm"],
)
def test_equals_the_papers_equations_with_all_gradients(
    shape: PlanShape, options: dict[str, Any], few: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cct_layer, "FEW_TOKENS", few)
    network = build(shape, **options).double()
    x = torch.randn(2, 1, *shape.patch, dtype=torch.float64)
    network(x)  # from here on running means differ from those of the batch
    results = []
    for forward in (network, functools.partial(naive_uctransnet, network)):
        state = {key: value.clone() for key, value in network.state_dict().items()}
        network.zero_grad()
        logits = forward(x)
        sum(y.square().mean() for y in logits).backward()
        results.append([*logits, *(p.grad.clone() for p in network.parameters())])
        network.load_state_dict(state)
    for ours, naive in zip(*results, strict=True):
        torch.testing.assert_close(ours, naive, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", [SHAPES["3d-anisotropic-20x320x256"], SHAPES["2d-8-stages"]], ids=["3d", "2d"])
def test_equals_the_papers_equations_on_deep_plans(shape: PlanShape) -> None:
    network = build(shape).double().eval()
    assert 0 < len(network.skips.channels) < len(network.skip_channels)  # coarser skips stay as they are
    x = torch.randn(1, 1, *shape.patch, dtype=torch.float64)
    with torch.no_grad():
        for ours, naive in zip(network(x), naive_uctransnet(network, x), strict=True):
            torch.testing.assert_close(ours, naive, rtol=1e-10, atol=1e-10)


class PublishedCCA(NetworkContract):
    network = UCTransNet
    options = SIZE | {"amplified": False}


class WithoutCCT(NetworkContract):
    network = UCTransNet
    options = SIZE | {"fusion": False}


@pytest.mark.parametrize("shape", [SMALL, SMALL_2D], ids=["3d", "2d"])
def test_cca_by_itself_sees_the_image_and_as_published_it_hardly_does(shape: PlanShape) -> None:
    def share(contract: NetworkContract) -> float:
        instance, batch = (contract.spread_of_gates(shape, norm) for norm in ("instance", "batch"))
        return sum(instance[gate] for gate in batch if "cca" in gate) / sum(
            batch[gate] for gate in batch if "cca" in gate
        )

    assert share(TestUCTransNet()) > 0.5
    assert share(WithoutCCT()) > 0.5
    assert share(PublishedCCA()) < 0.25


def test_under_batch_norm_nothing_is_amplified() -> None:
    kept = build(SMALL_2D, norm="batch").state_dict()
    assert any("amplified" in key for key in build(SMALL_2D).state_dict())
    assert not any("amplified" in key for key in kept)


def test_without_cct_and_cca_it_is_the_stock_network() -> None:
    network = build(SMALL, fusion=False, recalibration=False).eval()
    stock = SkipUNet(1, 3, True, **SMALL.architecture()).eval()
    stock.load_state_dict(network.state_dict())
    x = torch.randn(1, 1, *SMALL.patch)
    torch.testing.assert_close(network(x), stock(x), rtol=0, atol=0)
    assert network.compute_conv_feature_map_size(SMALL.patch) == stock.compute_conv_feature_map_size(SMALL.patch)
