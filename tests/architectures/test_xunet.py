"""XUNet keeps the contract of every network, as its attention variant does."""

from typing import Any

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet

from benchmarks.naive.cross_over import naive_cross_over
from nnunet_skipx.architectures import SkipUNet, XUNet
from nnunet_skipx.architectures.injection import first_conv_block
from tests.contract import SMALL, SMALL_2D, NetworkContract
from tests.plan_shapes import SHAPES, PlanShape


class TestXUNet(NetworkContract):
    network = XUNet


class TestXUNetAttention(NetworkContract):
    network = XUNet
    options = {"attention": True, "reduction": 4}


def naive_logits(network: XUNet, x: torch.Tensor) -> Any:
    """What the network computes, each decoder stage's first convolution replaced by one over the concatenation."""
    features = network.encoder(x)

    def merge(skip: int, u: torch.Tensor) -> torch.Tensor:
        stage = network.decoder_stage(skip)
        conv, *behind = first_conv_block(stage).all_modules
        y = naive_cross_over(network.skips[skip], conv.weight, conv.bias, u, features)
        for module in (*behind, *stage.convs[1:]):
            y = module(y)
        return y

    return network.decode(features[-1], merge)


@pytest.mark.parametrize("attention", [False, True], ids=["plain", "attention"])
@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_equals_the_network_that_concatenates(shape: PlanShape, residual: bool, attention: bool) -> None:
    torch.manual_seed(0)
    network = XUNet(1, 3, True, attention=attention, **shape.architecture(residual=residual)).double().eval()
    x = torch.randn(1, 1, *(min(n, 64) for n in shape.patch), dtype=torch.float64)  # the concatenation is slow
    with torch.no_grad():
        for ours, naive in zip(network(x), naive_logits(network, x), strict=True):
            torch.testing.assert_close(ours, naive, rtol=1e-10, atol=1e-10)


def test_with_kernels_of_zero_it_is_the_stock_network() -> None:
    network = XUNet(1, 3, True, **SMALL.architecture()).eval()
    stock = PlainConvUNet(input_channels=1, num_classes=3, deep_supervision=True, **SMALL.architecture()).eval()
    stock.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("skips.")})
    x = torch.randn(1, 1, *SMALL.patch)
    with torch.no_grad():
        assert not torch.allclose(network(x)[0], stock(x)[0], atol=1e-3)
        for skip in network.skips:
            skip.weight.zero_()
        for ours, expected in zip(network(x), stock(x), strict=True):
            torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
def test_a_network_whose_stages_see_their_own_level_is_the_stock_network(residual: bool) -> None:
    network = XUNet(1, 3, True, mechanism="own_level", **SMALL.architecture(residual=residual)).eval()
    stock = SkipUNet(1, 3, True, **SMALL.architecture(residual=residual)).eval()
    stock.load_state_dict(network.state_dict())
    x = torch.randn(1, 1, *SMALL.patch)
    torch.testing.assert_close(network(x), stock(x), rtol=0, atol=0)
    sizes = [net.compute_conv_feature_map_size(SMALL.patch) for net in (network, stock)]
    assert sizes[0] == sizes[1]


def test_the_options_reach_the_mechanism() -> None:
    skips = XUNet(1, 3, attention=True, reduction=5, **SMALL.architecture()).skips
    assert [skip.attention.squeeze.weight.shape for skip in skips] == [(32 // 5, 32), (36 // 5, 36)]
    assert all(skip.attention is None for skip in XUNet(1, 3, **SMALL.architecture()).skips)


def test_the_attention_of_few_channels_keeps_one_hidden_channel() -> None:
    shape = PlanShape((16, 16), (1, 1), 3, features=1)
    network = XUNet(1, 3, attention=True, **shape.architecture())
    assert network.skips[0].attention.squeeze.out_features == 1
    assert network(torch.randn(1, 1, 16, 16)).isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mechanism": "own_level", "attention": True}, "drop one of the two"),
        ({"mechanism": "twin"}, "'cross_over' or 'own_level'"),
        ({"attention": True, "reduction": 0}, "reduction must be 1 or more"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        XUNet(1, 3, **options, **SMALL_2D.architecture())
