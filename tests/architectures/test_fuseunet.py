"""FuseUNet keeps the contracts but for the stock decoder, and integrates as the textbook's Adams methods do."""

import functools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from nnunetv2.run.load_pretrained_weights import load_pretrained_weights
from torch import nn

from benchmarks.naive.multistep import naive_fuseunet
from nnunet_skipx.architectures import SkipUNet
from nnunet_skipx.architectures.fuseunet import FuseUNet
from nnunet_skipx.counting import built_to_count, forward_flops, parameters
from nnunet_skipx.skips.multistep import BASHFORTH, MOULTON, MultistepDecoder, Slope
from tests.contract import SMALL, NetworkContract, TrainerContract
from tests.plan_shapes import PLANNED, SHAPES, PlanShape

FIVE_STAGES = PlanShape((16, 32), (1, 1), 5)  # the last of four steps is the first of order 4


class TestFuseUNet(NetworkContract, TrainerContract):
    network = FuseUNet
    trainer = "nnUNetTrainerFuseUNet"

    @pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
    def test_a_stock_checkpoint_lacks_only_the_mechanism(self, residual: bool) -> None:
        """Here the encoder is nnU-Net's, and all of the decoder is the mechanism."""
        stock = (ResidualEncoderUNet if residual else PlainConvUNet)(
            input_channels=1, num_classes=3, deep_supervision=True, **SMALL.architecture(residual=residual)
        )
        theirs = {key: value for key, value in stock.state_dict().items() if key.startswith("encoder.")}
        result = self.build(SMALL, residual=residual).load_state_dict(theirs, strict=False)
        assert theirs and not result.unexpected_keys
        assert result.missing_keys and all(key.startswith("decoder.") for key in result.missing_keys)

    def test_the_planners_estimate_counts_more_than_the_stock_network(self) -> None:
        """Here: what encoder and decoder put out, which is less, and the maps that the decoder enlarges."""
        network = self.build(SMALL)
        sizes: list[int] = []
        for module in network.modules():
            if isinstance(module, nn.Conv3d):
                module.register_forward_hook(lambda m, i, o: sizes.append(o[0].numel()))
        logits = network(torch.randn(1, 1, *SMALL.patch))
        voxels = [x[0, 0].numel() for x in logits]
        memory = SMALL.features
        by_product = (3 + 3) * voxels[0]  # the last head's two parts
        kept = (2 + 1) * memory * voxels[1] + memory * voxels[0]
        assert network.compute_conv_feature_map_size(SMALL.patch) == sum(sizes) + by_product + kept


@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_equals_the_formulas(shape: PlanShape, residual: bool) -> None:
    torch.manual_seed(0)
    network = FuseUNet(1, 3, True, **shape.architecture(residual=residual)).double().eval()
    x = torch.randn(1, 1, *(min(n, 64) for n in shape.patch), dtype=torch.float64)
    with torch.no_grad():
        for ours, naive in zip(network(x), naive_fuseunet(network, x), strict=True):
            torch.testing.assert_close(ours, naive, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [SMALL, FIVE_STAGES], ids=["3d", "2d"])
def test_equals_the_formulas_with_all_gradients(shape: PlanShape, order: int) -> None:
    torch.manual_seed(0)
    network = FuseUNet(1, 3, True, order=order, **shape.architecture()).double()
    x = torch.randn(2, 1, *shape.patch, dtype=torch.float64)
    results = []
    for forward in (network, functools.partial(naive_fuseunet, network)):
        network.zero_grad()
        logits = forward(x)
        sum(y.square().mean() for y in logits).backward()
        results.append([*logits, *(p.grad.clone() for p in network.parameters())])
    for ours, naive in zip(*results, strict=True):
        torch.testing.assert_close(ours, naive, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("order", BASHFORTH)
def test_a_step_of_an_order_is_exact_for_slopes_that_are_polynomials_of_lower_degree(order: int) -> None:
    """The order conditions; that of degree 0 says that the weights add up to 1."""
    for degree in range(order):
        area = Fraction(1, degree + 1)  # of t ** degree from 0 to 1; known slopes stand at 0, -1, ...
        for weights, latest in ((BASHFORTH[order], 0), (MOULTON[order], 1)):
            assert len(weights) == order
            exact = [Fraction(weight).limit_denominator(100) for weight in weights]
            assert sum(weight * (latest - n) ** degree for n, weight in enumerate(exact)) == area
            assert weights == tuple(float(weight) for weight in exact)


class Affine(nn.Module):
    """An f that makes slopes linear in the memory."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0.6 * x


def textbook(order: int, slope: Callable[[int, float], float], steps: int) -> list[float]:
    """y after every step of a predictor-corrector method of growing order, from y = 0, by formulas from a textbook."""
    y, past, found = 0.0, [slope(0, 0.0)], []
    for n in range(1, steps + 1):
        match min(n, order):
            case 1:
                p, c, w = past[-1], 0.0, 1.0
            case 2:
                p, c, w = 1.5 * past[-1] - 0.5 * past[-2], past[-1] / 2, 1 / 2
            case 3:
                p = (23 * past[-1] - 16 * past[-2] + 5 * past[-3]) / 12
                c, w = (8 * past[-1] - past[-2]) / 12, 5 / 12
            case _:
                p = (55 * past[-1] - 59 * past[-2] + 37 * past[-3] - 9 * past[-4]) / 24
                c, w = (19 * past[-1] - 5 * past[-2] + past[-3]) / 24, 9 / 24
        y = y + c + w * slope(n, y + p)
        past.append(slope(n, y))
        found.append(y)
    return found


@pytest.mark.parametrize("order", BASHFORTH)
def test_with_a_linear_slope_the_stages_are_the_textbooks(order: int) -> None:
    """Maps that are the same everywhere, so that enlarging changes nothing: an equation of one number."""
    driven = [1.0, -0.5, 2.0, 0.3, -1.2, 0.7]  # g(x) at the nodes, bottleneck first
    nodes = [Slope(nn.Identity(), Affine()) for _ in driven]
    heads = [nn.Conv2d(1, 1, 1) for _ in driven[1:]]
    for head in heads:
        nn.init.ones_(head.weight)
        nn.init.constant_(head.bias, 10.0)
    decoder = MultistepDecoder(nodes[0], nodes[1:], heads, order).double()
    decoder.deep_supervision = True
    maps = [torch.full((1, 1, 2 * n + 2, n + 1), x, dtype=torch.float64) for n, x in enumerate(driven)]
    logits = decoder(maps[::-1])[::-1]
    expected = textbook(order, lambda n, y: 0.6 * (y + driven[n]) - y, len(heads))
    for n, y in enumerate(expected):
        torch.testing.assert_close(logits[n], torch.full_like(maps[n + 1], y + 10.0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("plan", ["2d-3-stages-residual", "2d-512", "3d-hippocampus-demo", "3d-20x320x256"])
def test_is_smaller_and_cheaper_than_the_stock_network(plan: str) -> None:
    shape, residual = PLANNED[plan]
    with built_to_count():
        ours: Any = FuseUNet(1, 3, **shape.architecture(residual=residual))
        stock: Any = SkipUNet(1, 3, **shape.architecture(residual=residual))
    assert parameters(ours) < 0.9 * parameters(stock)
    size = (1, 1, *shape.patch)
    assert forward_flops(ours.eval(), size) < forward_flops(stock.eval(), size)


@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
def test_its_twin_is_the_stock_network(residual: bool) -> None:
    network = FuseUNet(1, 3, True, decoding="stock", **SMALL.architecture(residual=residual)).eval()
    stock = SkipUNet(1, 3, True, **SMALL.architecture(residual=residual)).eval()
    stock.load_state_dict(network.state_dict())
    x = torch.randn(1, 1, *SMALL.patch)
    torch.testing.assert_close(network(x), stock(x), rtol=0, atol=0)
    assert network.compute_conv_feature_map_size(SMALL.patch) == stock.compute_conv_feature_map_size(SMALL.patch)


@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
def test_pretrained_weights_of_a_stock_network_start_the_encoder(tmp_path: Path, residual: bool) -> None:
    plan = SMALL.architecture(residual=residual)
    stock, network = SkipUNet(1, 5, True, **plan), FuseUNet(1, 3, True, **plan)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    torch.save({"network_weights": stock.state_dict()}, tmp_path / "checkpoint_final.pth")
    load_pretrained_weights(network, str(tmp_path / "checkpoint_final.pth"))
    for key, value in network.state_dict().items():
        assert torch.equal(value, stock.state_dict()[key] if key.startswith("encoder.") else before[key]), key
    assert "not in the file, or in another shape: decoder.start.g.weight" in str(network.warm_start)


def test_numbers_of_convolutions_are_those_of_the_plans() -> None:
    plan = SMALL.architecture() | {"n_conv_per_stage_decoder": [3, 1]}
    decoder = FuseUNet(1, 3, **plan).decoder
    assert [len(node.f.convs) for node in (decoder.start, *decoder.stages)] == [3, 3, 1]
    decoder = FuseUNet(1, 3, **plan | {"n_conv_per_stage_decoder": 2}).decoder
    assert [len(node.f.convs) for node in (decoder.start, *decoder.stages)] == [2, 2, 2]


@pytest.mark.parametrize(
    ("options", "message"), [({"order": 5}, "1, 2, 3, 4, got 5"), ({"decoding": "euler"}, "'multistep' or 'stock'")]
)
def test_what_does_not_exist_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FuseUNet(1, 3, **options, **SMALL.architecture())
