"""3D U2-Net keeps the contract of every network, but for what speaks of nnU-Net's own encoder and decoder."""
from typing import Any

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch import nn

from nnunet_skipx.architectures import U2Net
from nnunet_skipx.architectures.u2net_parts import Decoder, Domain, Encoder, Style
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.full_unit import FullUnit
from nnunet_skipx.skips.separable import Separable
from tests.contract import SMALL, SMALL_2D, NetworkContract
from tests.plan_shapes import SHAPES, PlanShape


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


class U2NetContract(NetworkContract):
    network = U2Net

    def test_a_stock_checkpoint_lacks_only_the_mechanism(self) -> None:
        """Here no part is nnU-Net's, so a checkpoint has no key in common but for the heads' prefix."""
        stock = PlainConvUNet(input_channels=1, num_classes=3, deep_supervision=True, **SMALL.architecture())
        ours = self.build(SMALL).state_dict().keys()
        assert not ours & stock.state_dict().keys()
        heads = [key for key in ours if ".seg_layers." in key]  # what nnU-Net leaves out of pretrained weights
        assert len(heads) == 2 * (SMALL.stages - 1)

    def test_the_planners_estimate_counts_more_than_the_stock_network(self) -> None:
        """Here: what stem, units and heads put out, and nothing else, for that is what stays in memory."""
        network = self.build(SMALL)
        sizes: list[int] = []
        for module in network.modules():
            if isinstance(module, (Separable, FullUnit)) or module is network.encoder.stems[0]:
                module.register_forward_hook(lambda m, i, o: sizes.append(o[0].numel()))
        logits = network(torch.randn(1, 1, *SMALL.patch))
        assert network.compute_conv_feature_map_size(SMALL.patch) == sum(sizes) + sum(x.numel() for x in logits)


class TestU2Net(U2NetContract):
    pass


class TestU2NetTwin(U2NetContract):
    options = {"convolutions": "full"}


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


def two_domains(strided: str = "separable") -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder for an anisotropic CT with 2 labels and an isotropic MRI with 2 channels and 3 labels."""
    torch.manual_seed(0)
    ops = BlockOps(nn.Conv3d, nn.InstanceNorm3d, {"affine": True}, nn.LeakyReLU, {"inplace": True})
    domains = [
        Domain(1, 2, [[1, 3, 3], [3, 3, 3], [3, 3, 3]], [[1, 1, 1], [1, 2, 2], [2, 2, 2]]),
        Domain(2, 3, [[3, 3, 3]] * 3, [[1, 1, 1], [2, 2, 2], [2, 2, 2]]),
    ]
    style = Style(ops, True, "separable", strided)
    return Encoder(style, domains, [4, 8, 8], [1, 1, 1]), Decoder(style, domains, [4, 8, 8], [2, 2])


def test_each_domain_has_its_channels_labels_kernels_and_strides() -> None:
    encoder, decoder = two_domains()
    decoder.deep_supervision = True
    maps = encoder(torch.randn(1, 1, 8, 16, 16), 0)
    assert [tuple(x.shape[1:]) for x in maps] == [(4, 8, 16, 16), (8, 8, 8, 8), (8, 4, 4, 4)]
    assert [tuple(x.shape[1:]) for x in decoder(maps, 0)] == [(2, 8, 16, 16), (2, 8, 8, 8)]
    logits = decoder(encoder(torch.randn(1, 2, 16, 16, 16), 1), 1)
    assert [tuple(x.shape[1:]) for x in logits] == [(3, 16, 16, 16), (3, 8, 8, 8)]


def test_what_belongs_to_another_domain_changes_no_bit() -> None:
    encoder, decoder = two_domains()
    image = torch.randn(1, 1, 8, 16, 16)
    before = decoder(encoder(image, 0), 0)
    before.sum().backward()
    used = {id(p) for part in (encoder, decoder) for p in part.parameters() if p.grad is not None}
    for part in (encoder, decoder):
        for parameter in part.parameters():
            if id(parameter) not in used:
                nn.init.normal_(parameter)
    assert torch.equal(decoder(encoder(image, 0), 0), before)


@pytest.mark.parametrize(("strided", "shared"), [("separable", {"pointwise"}), ("source", {"pointwise", "conv"})])
def test_domains_share_exactly_the_pointwise_and_the_sources_strided_convolutions(strided: str, shared: set) -> None:
    encoder, decoder = two_domains(strided)
    used = []
    for domain, channels in ((0, 1), (1, 2)):
        for part in (encoder, decoder):
            part.zero_grad(set_to_none=True)
        decoder.deep_supervision = True
        logits = decoder(encoder(torch.randn(1, channels, 16, 16, 16), domain), domain)
        sum(x.sum() for x in logits).backward()
        named = [*encoder.named_parameters(prefix="encoder"), *decoder.named_parameters(prefix="decoder")]
        used.append({name for name, p in named if p.grad is not None})
    assert {name.split(".")[-2] for name in used[0] & used[1]} == shared
    assert used[0] | used[1] == {name for name, _ in named}


def test_the_source_option_makes_the_strided_convolutions_full_and_pads_behind() -> None:
    network = U2Net(1, 3, strided="source", **SMALL.architecture())
    assert all(isinstance(down, FullUnit) for down in network.encoder.downs)
    assert network.encoder.downs[0].margins == [([0, 0, 0], [1, 1, 1])]
    assert isinstance(network.encoder.stages[0][0].first, Separable)


@pytest.mark.parametrize("strided", ["separable", "source"])
@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
@pytest.mark.parametrize("dim", [2, 3])
def test_the_twin_is_full_and_as_large_in_2d_and_3d(dim: int, residual: bool, strided: str) -> None:
    plan = PlanShape((64,) * dim, (1,) * dim, 5).architecture(residual=residual)
    plan |= {"features_per_stage": [32, 64, 128, 256, 320]}
    with torch.device("meta"):
        ours, twin = (U2Net(1, 3, strided=strided, convolutions=kind, **plan) for kind in ("separable", "full"))
    assert abs(count(twin) - count(ours)) < 0.05 * count(ours)
    assert not any(isinstance(module, Separable) for module in twin.modules())


@pytest.mark.parametrize("features", [[1, 1, 1], [2, 4, 8]])
def test_the_twin_of_a_tiny_network_has_a_channel_per_stage_at_least(features: list[int]) -> None:
    twin = U2Net(1, 3, convolutions="full", **(SMALL_2D.architecture() | {"features_per_stage": features}))
    assert min(twin.encoder.output_channels) >= 1
    assert twin(torch.randn(1, 1, *SMALL_2D.patch)).isfinite().all()


@pytest.mark.parametrize("convolutions", ["separable", "full"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_without_deep_supervision_only_the_auxiliary_heads_get_no_gradient(
    shape: PlanShape, convolutions: str
) -> None:
    if shape.features < 4:
        pytest.skip("a large patch, for shapes only")
    network = U2Net(1, 3, convolutions=convolutions, **shape.architecture())
    network(torch.randn(1, 1, *shape.patch)).square().mean().backward()
    without = {name for name, p in network.named_parameters() if p.grad is None}
    heads = {f"decoder.seg_layers.0.{n}.{key}" for n in range(shape.stages - 2) for key in ("weight", "bias")}
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
    head = network.decoder.seg_layers[0][0].weight
    assert head.std().item() == pytest.approx((2 / head.shape[1]) ** 0.5, rel=0.5)


def test_toggling_deep_supervision_as_nnunet_does_switches_the_outputs() -> None:
    network = U2Net(1, 3, True, **SMALL.architecture()).eval()
    x = torch.randn(1, 1, *SMALL.patch)
    full = network(x)[0]
    network.decoder.deep_supervision = False
    torch.testing.assert_close(network(x), full)
