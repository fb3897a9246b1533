"""UNet 3+ keeps the contracts but for what speaks of nnU-Net's decoder, and computes what the paper's equation says."""

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from nnunetv2.run.load_pretrained_weights import load_pretrained_weights
from torch import nn

from benchmarks.naive.full_scale import naive_unet3plus
from nnunet_skipx.architectures.unet3plus import UNet3Plus
from tests.contract import SMALL, SMALL_2D, NetworkContract, TrainerContract
from tests.plan_shapes import SHAPES, PlanShape

TWIN = {"finer": False, "coarser": False}


class TestUNet3Plus(NetworkContract, TrainerContract):
    network = UNet3Plus
    trainer = "nnUNetTrainerUNet3Plus"

    @pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
    def test_a_stock_checkpoint_lacks_only_the_mechanism(self, residual: bool) -> None:
        """Here it lacks the decoder, too; the encoder is nnU-Net's to the last weight."""
        stock_class = ResidualEncoderUNet if residual else PlainConvUNet
        arguments = SMALL.architecture(residual=residual)
        stock = stock_class(input_channels=1, num_classes=3, **arguments).state_dict()
        ours = self.build(SMALL, residual=residual).state_dict()
        common = {key for key in ours.keys() & stock.keys() if ".seg_layers." not in key}
        assert common == {key for key in stock if key.startswith("encoder.")}
        assert all(ours[key].shape == stock[key].shape for key in common)

    def test_the_planners_estimate_counts_more_than_the_stock_network(self) -> None:
        """Here: what the convolutions of encoder, sources, stages and heads put out, and nothing else."""
        network = self.build(SMALL)
        channels = [sum(len(conv.weight) for conv in (*s.of_encoder, *s.of_decoder)) for s in network.skips]
        logits = network(torch.randn(1, 1, *SMALL.patch))
        sources = sum(c * x[0, 0].numel() for c, x in zip(channels, logits, strict=True))
        expected = 2 * sources + sum(x.numel() for x in logits)
        expected += network.encoder.compute_conv_feature_map_size(SMALL.patch)
        assert network.compute_conv_feature_map_size(SMALL.patch) == expected


@pytest.mark.parametrize("shape", ["2d-3-stages", "2d-8-stages", "3d-anisotropic-20x320x256"])
def test_equals_the_papers_equation(shape: str) -> None:
    torch.manual_seed(0)
    network = UNet3Plus(1, 3, True, **SHAPES[shape].architecture()).double().eval()
    x = torch.randn(1, 1, *(min(n, 64) for n in SHAPES[shape].patch), dtype=torch.float64)
    with torch.no_grad():
        for ours, naive in zip(network(x), naive_unet3plus(network, x), strict=True):
            torch.testing.assert_close(ours, naive, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("options", [{}, {"width": 5}, {"finer": False}, {"coarser": False}, TWIN], ids=str)
@pytest.mark.parametrize(("shape", "residual"), [(SMALL, True), (SMALL_2D, False)], ids=["3d residual", "2d"])
def test_equals_the_papers_equation_with_all_gradients(
    shape: PlanShape, residual: bool, options: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    network = UNet3Plus(1, 3, True, **options, **shape.architecture(residual=residual)).double()
    x = torch.randn(2, 1, *shape.patch, dtype=torch.float64)
    results = []
    for forward in (network, functools.partial(naive_unet3plus, network)):
        network.zero_grad()
        logits = forward(x)
        sum(y.square().mean() for y in logits).backward()
        results.append([*logits, *(p.grad.clone() for p in network.parameters())])
    for ours, naive in zip(*results, strict=True):
        torch.testing.assert_close(ours, naive, rtol=1e-10, atol=1e-10)


def test_a_stock_checkpoint_starts_the_encoder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    stock = PlainConvUNet(input_channels=1, num_classes=3, **SMALL_2D.architecture())
    torch.save({"network_weights": stock.state_dict()}, tmp_path / "checkpoint_final.pth")
    network = UNet3Plus(1, 3, **SMALL_2D.architecture())
    before = {key: value.clone() for key, value in network.state_dict().items()}
    load_pretrained_weights(network, str(tmp_path / "checkpoint_final.pth"))
    for key, value in network.state_dict().items():
        assert torch.equal(value, (stock.state_dict() if key.startswith("encoder.") else before)[key]), key
    assert "not in the file, or in another shape: decoder.stages.0" in str(network.warm_start)


def stage_widths(**options: Any) -> list[int]:
    with torch.device("meta"):
        network = UNet3Plus(1, 3, **options, **PlanShape((64, 64), (1, 1), 5, features=32).architecture())
    return [len(stage.conv.weight) for stage in reversed(network.decoder.stages)]


def test_stages_are_as_wide_as_all_sources_together_and_those_of_twins_the_same() -> None:
    assert stage_widths() == [5 * 8, 5 * 16, 5 * 32, 5 * 64]
    assert stage_widths(width=64) == [320] * 4
    for twin in ({"finer": False}, {"coarser": False}, TWIN):
        for width, whole in zip(stage_widths(**twin), stage_widths(), strict=True):
            assert whole <= width < 1.05 * whole


def test_a_stage_sees_no_scale_but_its_own_two_without_full_scale_skips() -> None:
    network = UNet3Plus(1, 3, **TWIN, **PlanShape((32, 32), (1, 1), 4).architecture())
    assert [(len(s.of_encoder), len(s.of_decoder)) for s in network.skips] == [(1, 1)] * 3
    network = UNet3Plus(1, 3, **PlanShape((32, 32), (1, 1), 4).architecture())
    assert [(len(s.of_encoder), len(s.of_decoder)) for s in network.skips] == [(1, 3), (2, 2), (3, 1)]


def test_layers_start_as_nnunet_starts_convolutions() -> None:
    torch.manual_seed(0)
    network = UNet3Plus(1, 3, **PlanShape((32, 32), (1, 1), 4, features=32).architecture())
    stage = network.decoder.stages[0]
    for conv in (stage.conv, network.skips[-1].of_decoder[0]):
        fan_in = conv.weight[0].numel()
        assert float(conv.weight.detach().std()) == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)
    assert isinstance(stage.conv, nn.Conv2d) and not stage.conv.bias.any()


def test_a_width_below_1_is_refused() -> None:
    with pytest.raises(ValueError, match="width must be 1 or more, got 0"):
        UNet3Plus(1, 3, width=0, **SMALL.architecture())
