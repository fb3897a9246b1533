"""MSA-UNet keeps the contract of every network and equals its naive rendering."""

import pytest
import torch
from torch import nn

from benchmarks.naive.msaunet import naive_msaunet
from nnunet_skipx.architectures import MSAUNet, SkipUNet
from tests.contract import SMALL, SMALL_2D, NetworkContract
from tests.plan_shapes import PlanShape

ANISOTROPIC = PlanShape((8, 32, 24), (5, 1, 1), 4)


class TestMSAUNet(NetworkContract):
    network = MSAUNet

    def may_have_zero_gradient(self) -> set[str]:
        names = build(SMALL, attention_levels="all").state_dict()
        return {name for name in names if ".linear" in name}  # at these widths one ReLU is all it has, and may be off


class TestMSAUNetAllLevels(TestMSAUNet):
    options = {"attention_levels": "all"}


class TestMSAUNetAntialiased(TestMSAUNet):
    options = {"antialias": True}


class TestMSAUNetTwin(NetworkContract):
    network = MSAUNet
    options = {"attention": False}


def build(shape: PlanShape, residual: bool = False, deep: bool = True, **options: object) -> MSAUNet:
    torch.manual_seed(0)
    return MSAUNet(2, 3, deep, **options, **shape.architecture(residual=residual)).double()


@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
@pytest.mark.parametrize("shape", [SMALL, SMALL_2D, ANISOTROPIC], ids=["3d", "2d", "anisotropic"])
def test_equals_the_naive_rendering_with_all_gradients(shape: PlanShape, residual: bool) -> None:
    network = build(shape, residual, attention_levels="all")
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    x = torch.randn(2, 2, *shape.patch, dtype=torch.float64, requires_grad=True)
    leaves = [x, *network.parameters()]
    results = []
    for logits in (network(x), naive_msaunet(network, x)):
        gradients = torch.autograd.grad(sum((y**2).mean() for y in logits), leaves)
        results.append([*logits, *gradients])
    for ours, naive in zip(*results, strict=True):
        torch.testing.assert_close(ours, naive, rtol=1e-8, atol=1e-10)


def test_all_heads_train_without_deep_supervision() -> None:
    network = build(SMALL, deep=False)
    network(torch.randn(1, 2, *SMALL.patch, dtype=torch.float64)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.decoder.seg_layers.parameters())
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
def test_without_all_three_ingredients_it_is_the_stock_network(residual: bool) -> None:
    network = build(SMALL, residual, attention=False, reinjection=False, head=False)
    x = torch.randn(1, 2, *SMALL.patch, dtype=torch.float64)
    torch.testing.assert_close(network(x), network.decoder(network.encoder(x)))
    assert not list(network.skips.parameters())
    stock = SkipUNet(2, 3, True, **SMALL.architecture(residual=residual))
    sizes = [net.compute_conv_feature_map_size(SMALL.patch) for net in (network, stock)]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("stages", [3, 5, 8])
def test_the_bottleneck_sees_the_map_above_only(stages: int) -> None:
    network = MSAUNet(3, 2, **PlanShape((64, 64), (1, 1), stages).architecture())
    widths = network.encoder.output_channels
    extra = [conv.in_channels for conv in network.skips.reinjection.convs]
    assert extra == [3 + sum(widths[:k]) for k in range(stages - 2)]


def test_without_reinjection_and_coarse_heads_it_is_the_stock_network() -> None:
    network = build(SMALL, attention=False)
    heads = [network.skips.bottleneck_head, *network.decoder.seg_layers[:-1]]
    with torch.no_grad():
        for p in [*network.skips.reinjection.parameters(), *(p for head in heads for p in head.parameters())]:
            p.zero_()
    x = torch.randn(1, 2, *SMALL.patch, dtype=torch.float64)
    torch.testing.assert_close(network(x)[0], network.decoder(network.encoder(x))[0])


@pytest.mark.parametrize(("levels", "count"), [("finest", 1), ("all", 2)])
def test_attention_stands_on_the_levels_asked_for(levels: str, count: int) -> None:
    network = build(SMALL, attention_levels=levels)
    assert [a.spatial.in_features for a in network.skips.attentions] == [4, 8][:count]


def test_antialiasing_changes_what_is_reinjected() -> None:
    plain, smooth = build(SMALL_2D), build(SMALL_2D, antialias=True)
    smooth.load_state_dict(plain.state_dict())
    x = torch.randn(1, 2, *SMALL_2D.patch, dtype=torch.float64)
    assert not torch.allclose(plain(x)[0], smooth(x)[0])


def test_the_twin_on_all_levels_is_refused_with_the_cure() -> None:
    with pytest.raises(ValueError, match="leave out one"):
        build(SMALL, attention=False, attention_levels="all")


def test_misspelt_levels_are_refused() -> None:
    with pytest.raises(ValueError, match='"finest" or "all", got \'al\''):
        build(SMALL, attention_levels="al")


@pytest.mark.parametrize("deep", [True, False])
@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
def test_the_planners_estimate_counts_all_that_the_mechanism_convolves(residual: bool, deep: bool) -> None:
    network = build(ANISOTROPIC, residual, deep, attention_levels="all")
    stock = SkipUNet(2, 3, deep, **ANISOTROPIC.architecture(residual=residual))
    sizes: list[int] = []
    stock_heads = network.decoder.seg_layers if deep else network.decoder.seg_layers[-1:]
    heads = set(network.decoder.seg_layers) - set(stock_heads)
    for module in [*network.skips.reinjection.convs, network.skips.bottleneck_head, *heads]:
        module.register_forward_hook(lambda module, inputs, output: sizes.append(output.numel()))
    network(torch.randn(1, 2, *ANISOTROPIC.patch, dtype=torch.float64))
    attention = 3 * sum(torch.Size(size).numel() for size in network.map_sizes(ANISOTROPIC.patch)[:-1])
    ours, base = (x.compute_conv_feature_map_size(ANISOTROPIC.patch) for x in (network, stock))
    assert ours - base == sum(sizes) + attention
