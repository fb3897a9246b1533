"""Cutting a skip equals the network's own parts put together by hand, and watching a network changes nothing."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from torch import nn

from nnunet_skipx.architectures import MSAUNet, U2Net, UDTransNet, UTANet, XUNet
from nnunet_skipx.architectures.injection import run_stage
from nnunet_skipx.inspection.ablation import Observation, encoder_maps_through, observed, skip_of_another, skip_zeroed
from nnunet_skipx.skips.cross_over import reduced_for_each_stage
from nnunet_skipx.skips.per_image import PerImage, spread_between_images
from nnunet_skipx.skips.summed_heads import sum_enlarged
from tests.contract import SMALL, SMALL_2D
from tests.plan_shapes import PlanShape

Maps = list[torch.Tensor]
FOUR_STAGES = PlanShape((32, 32), (1, 1), 4)


def stock_decoder(network: Any, maps: Maps) -> torch.Tensor:
    return network.decoder(maps)


def utanet_decoder(network: Any, maps: Maps) -> torch.Tensor:
    skips, _ = network.skips(maps[:-1])
    return network.decoder([*skips, maps[-1]])


def xunet_decoder(network: Any, maps: Maps) -> torch.Tensor:
    for_each_stage, x = reduced_for_each_stage(maps), maps[-1]
    for stage in reversed(range(len(maps) - 1)):
        seen, extra = network.skips[stage](network.decoder.transpconvs[-1 - stage](x), for_each_stage[stage])
        x = run_stage(network.decoder.stages[-1 - stage], seen, extra)
    return network.decoder.seg_layers[-1](x)


def udtransnet_decoder(network: Any, maps: Maps) -> torch.Tensor:
    bridged, x = len(network.skips.dras), maps[-1]
    tokens = network.skips.dat(maps[:bridged])
    for stage in reversed(range(len(maps) - 1)):
        u = network.decoder.transpconvs[-1 - stage](x)
        skip = network.skips.dras[stage](u, tokens[stage]) if stage < bridged else maps[stage]
        x = network.decoder.stages[-1 - stage](torch.cat([u, skip], 1))
    return network.decoder.seg_layers[-1](x)


def msaunet_decoder(network: Any, maps: Maps) -> torch.Tensor:
    attended = len(network.skips.attentions)
    skips = [network.skips.attentions[s](x) if s < attended else x for s, x in enumerate(maps[:-1])]
    known = [maps[-1]]
    for stage in reversed(range(len(skips))):
        u = network.decoder.transpconvs[-1 - stage](known[-1])
        known.append(network.decoder.stages[-1 - stage](torch.cat([u, skips[stage]], 1)))
    heads = [network.skips.bottleneck_head, *network.decoder.seg_layers]
    return sum_enlarged([head(x) for head, x in zip(heads, known, strict=True)])


def msaunet_encoder(network: Any, image: torch.Tensor) -> Maps:
    maps = [network.encoder.stages[0](image)]
    for stage in network.encoder.stages[1:-1]:
        maps.append(run_stage(stage, maps[-1], network.skips.reinjection(image, maps)))
    return [*maps, network.encoder.stages[-1](maps[-1])]


Decoder = Callable[[Any, Maps], torch.Tensor]
NETWORKS: dict[str, tuple[type[nn.Module], dict[str, Any], Decoder]] = {
    "plain": (PlainConvUNet, {}, stock_decoder),
    "residual": (ResidualEncoderUNet, {"residual": True}, stock_decoder),
    "UTANet": (UTANet, {}, utanet_decoder),
    "UTANet-twin": (UTANet, {"routing": "uniform"}, utanet_decoder),
    "XUNet": (XUNet, {}, xunet_decoder),
    "XUNet-attention": (XUNet, {"attention": True}, xunet_decoder),
    "XUNet-residual": (XUNet, {"residual": True}, xunet_decoder),
    "UDTransNet": (UDTransNet, {"embedding": 16}, udtransnet_decoder),
    "MSAUNet": (MSAUNet, {"attention_levels": "all"}, msaunet_decoder),
    "U2Net": (U2Net, {}, stock_decoder),
}
NETWORK = pytest.mark.parametrize("name", NETWORKS)


def build(name: str, shape: PlanShape) -> Any:
    torch.manual_seed(0)
    cls, options, _ = NETWORKS[name]
    architecture = shape.architecture(residual=options.get("residual", False))
    options = {key: value for key, value in options.items() if key != "residual"}
    if cls is UDTransNet:
        options["patch_size"] = shape.patch
    network = cls(input_channels=2, num_classes=3, deep_supervision=False, **options, **architecture)
    for parameter in network.parameters():  # norms and biases at 1 and 0 would hide errors
        nn.init.normal_(parameter, std=0.3)
    network.train()(image(shape, seed=3))  # fills what runs along over images
    return network.eval()


def image(shape: PlanShape, seed: int = 1) -> torch.Tensor:
    return torch.randn(2, 2, *shape.patch, generator=torch.Generator().manual_seed(seed))


def made_constant(stage: int, channels: torch.Tensor) -> Callable[[Maps], Maps]:
    """Makes the 2D map `(B, C, y, x)` of that stage `channels`, `(C,)`, everywhere."""
    return lambda maps: [channels[:, None, None].expand(m.shape) if s == stage else m for s, m in enumerate(maps)]


def encoder_maps(network: Any, x: torch.Tensor) -> Maps:
    return msaunet_encoder(network, x) if isinstance(network, MSAUNet) else network.encoder(x)


def is_untouched(network: nn.Module) -> bool:
    hooks = [module._forward_hooks or module._forward_pre_hooks for module in network.modules()]
    replaced = [{"forward", "encode"} & vars(module).keys() for module in network.modules()]
    return not any(hooks) and not any(replaced)


@NETWORK
@pytest.mark.parametrize("shape", [SMALL, FOUR_STAGES], ids=["3d", "2d"])
@torch.no_grad()
def test_a_zeroed_skip_is_gone_on_every_way_to_the_decoder(name: str, shape: PlanShape) -> None:
    network, x = build(name, shape), image(shape)
    rest = NETWORKS[name][2]
    intact = network(x)
    torch.testing.assert_close(rest(network, encoder_maps(network, x)), intact)
    for stage in range(shape.stages - 1):
        maps = encoder_maps(network, x)
        maps[stage] = torch.zeros_like(maps[stage])
        with skip_zeroed(network, stage):
            cut = network(x)
        torch.testing.assert_close(cut, rest(network, maps))
        assert (cut - intact).abs().max() > 1e-4
    assert is_untouched(network)
    assert torch.equal(network(x), intact)


@NETWORK
@pytest.mark.parametrize("shape", [SMALL, FOUR_STAGES], ids=["3d", "2d"])
@torch.no_grad()
def test_another_images_skip_takes_every_way_to_the_decoder_and_nothing_else_changes(
    name: str, shape: PlanShape
) -> None:
    network, x, other = build(name, shape), image(shape), image(shape, seed=2)
    intact = network(x)
    for stage in range(shape.stages - 1):
        maps = encoder_maps(network, x)
        maps[stage] = encoder_maps(network, other)[stage]
        with skip_of_another(network, stage):
            cut = network(torch.cat([x, other], 1))
        torch.testing.assert_close(cut, NETWORKS[name][2](network, maps))
        assert (cut - intact).abs().max() > 1e-4
    assert is_untouched(network)
    assert torch.equal(network(x), intact)


@NETWORK
@torch.no_grad()
def test_an_image_that_is_its_own_donor_changes_no_bit(name: str) -> None:
    network, x = build(name, SMALL), image(SMALL)[:1]  # nnU-Net's windows come one by one
    intact = network(x)
    for stage in range(SMALL.stages - 1):
        with skip_of_another(network, stage):
            assert torch.equal(network(torch.cat([x, x], 1)), intact)


@torch.no_grad()
def test_the_other_stages_are_the_images_own_and_carry_no_gradient_of_the_donor() -> None:
    network, x, other = build("plain", SMALL), image(SMALL)[:1], image(SMALL, seed=2)[:1]
    own, donated = network.encoder(x), network.encoder(other)
    seen: list[Maps] = []
    network.decoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with skip_of_another(network, 1), torch.enable_grad():
        network(torch.cat([x, other], 1))
    assert [torch.equal(found, mine) for found, mine in zip(seen[0], own, strict=True)] == [True, False, True]
    assert torch.equal(seen[0][1], donated[1])
    assert [found.requires_grad for found in seen[0]] == [True, False, True]


@torch.no_grad()
def test_to_an_instance_norm_a_constant_skip_is_as_good_as_none_and_another_images_is_not() -> None:
    torch.manual_seed(0)
    pointwise = SMALL_2D.architecture() | {"kernel_sizes": [[1, 1]] * SMALL_2D.stages}  # no padding, no border
    network = PlainConvUNet(input_channels=2, num_classes=3, deep_supervision=False, **pointwise).double().eval()
    x, other = image(SMALL_2D).double(), image(SMALL_2D, seed=2).double()
    for stage in range(SMALL_2D.stages - 1):
        channels = network.encoder(x)[stage].mean([0, 2, 3])
        assert channels.abs().min() > 0
        with skip_zeroed(network, stage):
            zeroed = network(x)
        with encoder_maps_through(network, made_constant(stage, channels)):
            torch.testing.assert_close(network(x), zeroed, rtol=1e-9, atol=1e-9)
        with skip_of_another(network, stage):
            assert (network(torch.cat([x, other], 1)) - zeroed).abs().max() > 1e-3


@NETWORK
@torch.no_grad()
def test_watching_changes_no_bit_and_leaves_no_trace(name: str) -> None:
    network, x = build(name, SMALL_2D), image(SMALL_2D)
    intact, observation = network(x), Observation()
    with observed(network, observation, "case"):
        assert not is_untouched(network)
        assert torch.equal(network(x), intact)
    assert is_untouched(network)
    assert torch.equal(network(x), intact)


@pytest.mark.parametrize("name", ["UTANet", "MSAUNet"])
def test_an_error_inside_leaves_no_trace_either(name: str) -> None:
    network = build(name, SMALL_2D)
    for inside in (observed(network, Observation(), "case"), skip_zeroed(network, 0), skip_of_another(network, 0)):
        with pytest.raises(RuntimeError), inside:
            network(torch.randn(1, 7, 8, 8))
        assert is_untouched(network)


@torch.no_grad()
def test_routing_is_kept_per_case_as_the_mean_over_its_patches() -> None:
    network, observation = build("UTANet", SMALL_2D), Observation()
    patches = {"a": [image(SMALL_2D), image(SMALL_2D)[:1] * 3], "b": [image(SMALL_2D)[1:] - 2]}
    for case, xs in patches.items():
        for x in xs:
            with observed(network, observation, case):
                network(x)
    used: list[set[frozenset[int]]] = [set(), set()]
    for case, xs in patches.items():
        routings = [network.skips(network.encoder(x)[:-1])[1] for x in xs]
        weights = torch.cat([routing.mixing_weights() for routing in routings])
        found = observation.routing[case]["skips.gates"].value()
        torch.testing.assert_close(found, weights.double().mean(0), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found.sum(1), torch.ones(2, dtype=torch.float64))
        for chosen in torch.cat([routing.indices for routing in routings]).tolist():
            for gate, pair in enumerate(chosen):
                used[gate].add(frozenset(pair))
    assert not observation.attention
    pairs = {key: {frozenset(pair) for pair in found} for key, found in observation.pairs.items()}
    assert pairs == {("skips.gates", gate): found for gate, found in enumerate(used)}


def test_pairs_count_once_in_whatever_order_and_case_they_come() -> None:
    observation = Observation()
    observation.add_routing("a", "gates", torch.tensor([[[0.4, 0.6, 0.0], [0.0, 0.5, 0.5]]]))
    observation.add_routing("b", "gates", torch.tensor([[[0.7, 0.3, 0.0], [0.5, 0.0, 0.5]]] * 2))
    assert dict(observation.pairs) == {("gates", 0): {(0, 1)}, ("gates", 1): {(1, 2), (0, 2)}}


class Gated(PlainConvUNet):
    """A stock U-Net whose finest skip is weighted by a gate that sees the image, or claims to."""

    def __init__(self, blind: bool) -> None:
        super().__init__(2, num_classes=3, deep_supervision=False, **SMALL_2D.architecture())
        self.blind, self.gate = blind, PerImage()

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        return torch.full((len(x), 4), 0.3) if self.blind else torch.sigmoid(self.encoder(x)[0].amax((2, 3)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, *later = self.encoder(x)
        return self.decoder([first * self.gate(self.weights(x))[..., None, None], *later])


@pytest.mark.parametrize("blind", [True, False])
@torch.no_grad()
def test_the_spread_of_a_gate_is_that_of_its_means_over_the_patches_of_a_case(blind: bool) -> None:
    torch.manual_seed(0)
    network, observation = Gated(blind).eval(), Observation()
    cases = {case: [image(SMALL_2D, seed), image(SMALL_2D, seed + 9)[:1]] for seed, case in enumerate("abc")}
    for case, patches in cases.items():
        with observed(network, observation, case):
            for x in patches:
                network(x)
    assert list(observation.gates) == ["gate"]
    means = torch.stack([network.weights(torch.cat(patches)).double().mean(0) for patches in cases.values()])
    assert observation.spreads() == {"gate": pytest.approx(spread_between_images(means), rel=1e-5)}
    assert (observation.spreads()["gate"] == 0) == blind


def test_gates_of_any_shape_and_precision_are_added_up_without_overflow_or_loss() -> None:
    observation, gate = Observation(), PerImage()
    outputs = {
        "matrix": torch.rand(2, 300, 300),
        "number": torch.tensor([1.0, 2.0]),
        "half": torch.full((3, 2), 60000, dtype=torch.float16),
    }
    for name, output in outputs.items():
        observation.add_module("case", name, gate, (), output)
        mean = observation.gates[name]["case"].value()
        assert torch.equal(mean, output.double().reshape(len(output), -1).mean(0))
    assert all(math.isnan(spread) for spread in observation.spreads().values()), "one case has no spread"


@torch.no_grad()
def test_attention_is_the_mean_over_patches_of_every_layer() -> None:
    network, observation = build("UDTransNet", SMALL), Observation()
    alone = []
    for x in (image(SMALL), image(SMALL) - 1):
        single = Observation()
        for to in (single, observation):
            with observed(network, to, "case"):
                network(x)
        alone.append(single.attention)
    assert set(observation.attention) == {f"skips.dat.layers.{layer}.selection" for layer in range(4)}
    assert not observation.routing
    for name, mean in observation.attention.items():
        torch.testing.assert_close(mean.value(), (alone[0][name].value() + alone[1][name].value()) / 2)
        torch.testing.assert_close(mean.value().sum(1), torch.ones(2, dtype=torch.float64), rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", ["plain", "UTANet-twin", "XUNet", "MSAUNet", "U2Net"])
@torch.no_grad()
def test_other_networks_have_neither(name: str) -> None:
    network, observation = build(name, SMALL_2D), Observation()
    with observed(network, observation, "case"):
        network(image(SMALL_2D))
    assert not observation.routing
    assert not observation.attention


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@torch.no_grad()
def test_a_zeroed_map_keeps_precision_and_memory_layout(dtype: torch.dtype) -> None:
    network, x = build("U2Net", SMALL), image(SMALL)
    seen: list[Maps] = []
    network.decoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
        network(x)
        with skip_zeroed(network, 0):
            network(x)
    (before, *_), (after, *_) = seen
    assert (after.dtype, after.stride()) == (before.dtype, before.stride())
    assert after.unique().tolist() == [0.0]
    assert not before.is_contiguous(), "a test of a map that is contiguous anyway would test nothing"


def test_networks_without_an_encoder_of_maps_are_refused() -> None:
    with pytest.raises(ValueError, match="Linear has no encoder"), observed(nn.Linear(1, 1), Observation(), "case"):
        pass
    network = nn.Sequential()
    network.encoder = nn.Identity()
    for inside in (observed(network, Observation(), "case"), skip_of_another(network, 0)):
        with pytest.raises(ValueError, match="no list of maps"), inside:
            network(torch.zeros(1, 2, 2, 2))
