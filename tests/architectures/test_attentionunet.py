"""Attention U-Net keeps the contracts and computes what the paper's equations say."""

import functools
from typing import Any

import pytest
import torch

from benchmarks.naive.attention_gate import naive_attention_unet
from nnunet_skipx.architectures import SkipUNet
from nnunet_skipx.architectures.attentionunet import AttentionUNet
from tests.contract import SMALL, SMALL_2D, NetworkContract, TrainerContract
from tests.plan_shapes import SHAPES, PlanShape


class TestAttentionUNet(NetworkContract, TrainerContract):
    network = AttentionUNet
    trainer = "nnUNetTrainerAttentionUNet"


class TestAttentionUNetAsPublished(NetworkContract):
    network = AttentionUNet
    options = {"finest": False}


OPTIONS = [{}, {"finest": False}, {"gating": "skip"}]


@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_equals_the_papers_equations(shape: PlanShape, residual: bool) -> None:
    torch.manual_seed(0)
    network = AttentionUNet(1, 3, True, **shape.architecture(residual=residual)).double().eval()
    x = torch.randn(1, 1, *(min(n, 64) for n in shape.patch), dtype=torch.float64)
    with torch.no_grad():
        for ours, naive in zip(network(x), naive_attention_unet(network, x), strict=True):
            torch.testing.assert_close(ours, naive, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("options", OPTIONS, ids=["all", "published", "skip alone"])
@pytest.mark.parametrize("shape", [SMALL, SMALL_2D], ids=["3d", "2d"])
def test_equals_the_papers_equations_with_all_gradients(shape: PlanShape, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = AttentionUNet(1, 3, True, **options, **shape.architecture()).double()
    x = torch.randn(2, 1, *shape.patch, dtype=torch.float64)
    results = []
    for forward in (network, functools.partial(naive_attention_unet, network)):
        network.zero_grad()
        logits = forward(x)
        sum(y.square().mean() for y in logits).backward()
        results.append([*logits, *(p.grad.clone() for p in network.parameters())])
    for ours, naive in zip(*results, strict=True):
        torch.testing.assert_close(ours, naive, rtol=1e-10, atol=1e-10)


def test_a_gate_starts_nearly_open() -> None:
    network = AttentionUNet(1, 3, **SMALL.architecture()).eval()
    seen = []
    for gate in network.skips:
        gate.chosen.register_forward_hook(lambda _, inputs, output: seen.append(output))
    network(torch.randn(1, 1, *SMALL.patch))
    assert len(seen) == len(network.skip_channels)
    assert all(0.85 < float(alpha.detach().mean()) < 0.99 for alpha in seen)


def test_closed_gates_cut_the_skips_and_open_ones_are_the_stock_network() -> None:
    network = AttentionUNet(1, 3, True, **SMALL.architecture()).eval()
    stock = SkipUNet(1, 3, True, **SMALL.architecture()).eval()
    stock.load_state_dict({key: value for key, value in network.state_dict().items() if not key.startswith("skips.")})
    x = torch.randn(1, 1, *SMALL.patch)
    with torch.no_grad():
        for gate in network.skips:
            gate.psi.weight.zero_()
            gate.psi.bias.fill_(50.0)
        torch.testing.assert_close(network(x), stock(x))
        for gate in network.skips:
            gate.psi.bias.fill_(-1000.0)
        assert not torch.allclose(network(x)[0], stock(x)[0], atol=1e-3)


def test_without_gates_it_is_the_stock_network() -> None:
    network = AttentionUNet(1, 3, True, gating="none", **SMALL.architecture()).eval()
    stock = SkipUNet(1, 3, True, **SMALL.architecture()).eval()
    stock.load_state_dict(network.state_dict())
    x = torch.randn(1, 1, *SMALL.patch)
    torch.testing.assert_close(network(x), stock(x), rtol=0, atol=0)


def test_a_gate_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="'decoder' or 'skip' or 'none'"):
        AttentionUNet(1, 3, gating="encoder", **SMALL.architecture())  # type: ignore[arg-type]
