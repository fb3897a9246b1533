"""3D U2-Net keeps the contract of every network, but for what speaks of nnU-Net's own encoder and decoder."""

from typing import Any

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch import nn

from nnunet_skipx.architectures import U2Net
from nnunet_skipx.skips.full_unit import FullUnit
from nnunet_skipx.skips.separable import Separable
from tests.contract import SMALL, NetworkContract
from tests.plan_shapes import SHAPES, PlanShape


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


TWIN = {"convolutions": "full", "residual": False}


class U2NetContract(NetworkContract):
    network = U2Net

    def test_a_stock_checkpoint_lacks_only_the_mechanism(self) -> None:
        """Here no part is nnU-Net's but the heads, which nnU-Net leaves out of pretrained weights."""
        stock = PlainConvUNet(input_channels=1, num_classes=3, deep_supervision=True, **SMALL.architecture())
        ours = self.build(SMALL).state_dict().keys()
        common = ours & stock.state_dict().keys()
        assert common == {key for key in ours if ".seg_layers." in key}
        assert len(common) == 2 * (SMALL.stages - 1)

    def test_the_planners_estimate_counts_more_than_the_stock_network(self) -> None:
        """Here: what stem, units and heads put out, and nothing else, for that is what stays in memory."""
        network = self.build(SMALL)
        sizes: list[int] = []
        for module in network.modules():
            if isinstance(module, (Separable, FullUnit)) or module is network.encoder.stem:
                module.register_forward_hook(lambda m, i, o: sizes.append(o[0].numel()))
        logits = network(torch.randn(1, 1, *SMALL.patch))
        assert network.compute_conv_feature_map_size(SMALL.patch) == sum(sizes) + sum(x.numel() for x in logits)


class TestU2Net(U2NetContract):
    pass


class TestU2NetTwin(U2NetContract):
    options = TWIN


class TestU2NetSeries(U2NetContract):
    options = {"convolutions": "series"}

    def may_have_zero_gradient(self) -> set[str]:
        """The adapters' norms, as long as the adapters are zero, as they are at the start."""
        network = self.build(SMALL)
        return {name for name, _ in network.named_parameters() if ".adapter_norm." in name}


class TestU2NetParallel(U2NetContract):
    options = {"convolutions": "parallel"}


class TestU2NetSource(U2NetContract):
    options = {"strided": "source"}

    def test_is_one_graph_that_computes_the_same(self) -> None:
        """Its units are those of the other two."""


@pytest.mark.parametrize(
    ("features", "kwargs", "limit"),
    [
        ((32, 64, 128, 256, 320, 320), {}, 0.06),
        ((32, 64, 128, 256, 320), {}, 0.063),
        ((32, 64, 128, 256, 320, 320), {"strided": "source"}, 0.25),
    ],
)
def test_has_few_parameters_at_nnunets_widths(features: tuple[int, ...], kwargs: dict[str, Any], limit: float) -> None:
    stages = len(features)
    plan = PlanShape((128, 128, 128), (1, 1, 1), stages).architecture()
    plan |= {"features_per_stage": features, "n_conv_per_stage_decoder": [2] * (stages - 1)}
    with torch.device("meta"):
        ours = U2Net(1, 3, **kwargs, **plan)
        stock = PlainConvUNet(input_channels=1, num_classes=3, **plan)
    assert count(ours) <= limit * count(stock)


def test_the_source_option_makes_the_strided_convolutions_full_and_pads_behind() -> None:
    network = U2Net(1, 3, strided="source", **SMALL.architecture())
    assert all(isinstance(down, FullUnit) for down in network.encoder.downs)
    assert network.encoder.downs[0].margins == ([0, 0, 0], [1, 1, 1])
    assert isinstance(network.encoder.stages[0][0].first, Separable)


def test_the_twin_is_full_and_adds_nothing_up() -> None:
    twin = U2Net(1, 3, **TWIN, **SMALL.architecture())
    assert not any(isinstance(module, Separable) for module in twin.modules())
    block = twin.encoder.stages[1][0].eval()
    x = torch.randn(1, 8, 4, 4, 4)
    expected = block.nonlin(block.second(block.first(x, activated=True)))
    torch.testing.assert_close(block(x), expected)
    block.residual = True
    assert not torch.allclose(block(x), expected)


@pytest.mark.parametrize("convolutions", ["separable", "full", "series", "parallel"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_without_deep_supervision_only_the_auxiliary_heads_get_no_gradient(shape: PlanShape, convolutions: str) -> None:
    if shape.features < 4:
        pytest.skip("a large patch, for shapes only")
    network = U2Net(1, 3, convolutions=convolutions, **shape.architecture())
    network(torch.randn(1, 1, *shape.patch)).square().mean().backward()
    without = {name for name, p in network.named_parameters() if p.grad is None}
    heads = {f"decoder.seg_layers.{n}.{key}" for n in range(shape.stages - 2) for key in ("weight", "bias")}
    assert without == heads


def test_blocks_follow_the_plans() -> None:
    def blocks(**plan: Any) -> list[int]:
        network = U2Net(1, 3, **(SMALL.architecture() | plan))
        assert [len(stage) for stage in network.decoder.stages] == [3, 1]
        return [len(stage) for stage in network.encoder.stages]

    decoder = {"n_conv_per_stage_decoder": [3, 1]}
    assert blocks(n_conv_per_stage=[2, 4, 1], **decoder) == [1, 2, 1]
    assert blocks(n_conv_per_stage=2, **decoder) == [1, 1, 1]
    assert blocks(n_conv_per_stage=None, n_blocks_per_stage=[1, 3, 4], **decoder) == [1, 3, 4]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"dropout_op": nn.Dropout3d}, "no dropout"),
        ({"convolutions": "none"}, "convolutions"),
        ({"strided": "full"}, "strided"),
        ({"features_per_stage": [4, 8]}, "3 stages"),
        ({"kernel_sizes": [[2, 2, 2]] * 3}, "odd kernel sizes"),
    ],
)
def test_what_it_cannot_build_is_refused_by_name(plan: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        U2Net(1, 3, **(SMALL.architecture() | plan))


def test_starts_as_the_source_does() -> None:
    network = U2Net(1, 3, True, **SMALL.architecture())
    assert all(not p.any() for name, p in network.named_parameters() if name.endswith("bias"))
    head = network.decoder.seg_layers[0].weight
    assert head.std().item() == pytest.approx((2 / head.shape[1]) ** 0.5, rel=0.5)


def test_toggling_deep_supervision_as_nnunet_does_switches_the_outputs() -> None:
    network = U2Net(1, 3, True, **SMALL.architecture()).eval()
    x = torch.randn(1, 1, *SMALL.patch)
    full = network(x)[0]
    network.decoder.deep_supervision = False
    torch.testing.assert_close(network(x), full)
