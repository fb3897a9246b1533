"""Cutting a skip equals the network's own parts put together by hand, and watching a network changes nothing."""
from collections.abc import Callable
from typing import Any

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from torch import nn

from nnunet_skipx.architectures import MSAUNet, U2Net, UDTransNet, UTANet, XUNet
from nnunet_skipx.architectures.injection import run_stage
from nnunet_skipx.benchmark.ablation import Observation, observed, skip_replaced
from nnunet_skipx.skips.cross_over import reduced_for_each_stage
from nnunet_skipx.skips.gates import spatial_mean
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
    for stage in network.encoder.stages[1:]:
        maps.append(run_stage(stage, maps[-1], network.skips.reinjection(image, maps)))
    return maps


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
    network = cls(input_channels=2, num_classes=3, deep_supervision=False, **options, **architecture).eval()
    for parameter in network.parameters():  # norms and biases at 1 and 0 would hide errors
        nn.init.normal_(parameter, std=0.3)
    return network


def image(shape: PlanShape) -> torch.Tensor:
    return torch.randn(2, 2, *shape.patch, generator=torch.Generator().manual_seed(1))


def encoder_maps(network: Any, x: torch.Tensor) -> Maps:
    return msaunet_encoder(network, x) if isinstance(network, MSAUNet) else network.encoder(x)


def is_untouched(network: nn.Module) -> bool:
    hooks = [module._forward_hooks or module._forward_pre_hooks for module in network.modules()]
    replaced = [{"forward", "encode"} & vars(module).keys() for module in network.modules()]
    return not any(hooks) and not any(replaced)


@NETWORK
@pytest.mark.parametrize("shape", [SMALL, FOUR_STAGES], ids=["3d", "2d"])
@torch.no_grad()
def test_a_cut_skip_is_gone_on_every_way_to_the_decoder(name: str, shape: PlanShape) -> None:
    network, x = build(name, shape), image(shape)
    rest = NETWORKS[name][2]
    intact = network(x)
    torch.testing.assert_close(rest(network, encoder_maps(network, x)), intact)
    for stage in range(shape.stages - 1):
        maps = encoder_maps(network, x)
        for channels in (torch.zeros(maps[stage].shape[1]), torch.randn(maps[stage].shape[1])):
            maps[stage] = channels.view(-1, *[1] * (x.ndim - 2)).expand(maps[stage].shape).contiguous()
            with skip_replaced(network, stage, channels.double()):
                cut = network(x)
            torch.testing.assert_close(cut, rest(network, maps))
            assert (cut - intact).abs().max() > 1e-4
    assert is_untouched(network)
    assert torch.equal(network(x), intact)


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


@NETWORK
@torch.no_grad()
def test_the_means_are_those_of_the_encoders_maps_over_all_patches(name: str) -> None:
    network, observation = build(name, SMALL), Observation()
    patches = [image(SMALL), image(SMALL)[:1] + 1]
    for case, x in enumerate(patches):
        with observed(network, observation, str(case)):
            network(x)
    maps = zip(*(encoder_maps(network, x) for x in patches), strict=True)
    expected = [torch.cat(stage).double().flatten(2).mean((0, 2)) for stage in maps]
    assert sorted(observation.maps) == list(range(SMALL.stages))
    for stage, mean in enumerate(expected):
        torch.testing.assert_close(observation.maps[stage].value(), mean, rtol=1e-4, atol=1e-6)


@NETWORK
@torch.no_grad()
def test_replacing_a_constant_map_by_its_mean_changes_nothing(name: str) -> None:
    network, x = build(name, SMALL_2D).double(), image(SMALL_2D).double()  # norms enlarge what rounding leaves
    for norm in network.encoder.modules():
        if isinstance(norm, nn.InstanceNorm2d):
            nn.init.zeros_(norm.weight)  # leaves the bias, the same everywhere
    observation = Observation()
    with observed(network, observation, "case"):
        intact = network(x)
    for stage in range(SMALL_2D.stages - 1):
        with skip_replaced(network, stage, observation.maps[stage].value()):
            torch.testing.assert_close(network(x), intact)


def test_an_error_inside_leaves_no_trace_either() -> None:
    for name in ("UTANet", "MSAUNet"):
        network = build(name, SMALL_2D)
        with pytest.raises(RuntimeError), observed(network, Observation(), "case"):
            network(torch.randn(1, 7, 8, 8))
        with pytest.raises(RuntimeError), skip_replaced(network, 0, torch.zeros(4)):
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
    for case, xs in patches.items():
        fused = torch.cat([network.skips.fuse(network.encoder(x)[:-1]) for x in xs])
        weights = network.skips.gates(spatial_mean(fused)).mixing_weights()
        found = observation.routing[case]["skips.gates"].value()
        torch.testing.assert_close(found, weights.double().mean(0), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found.sum(1), torch.ones(2, dtype=torch.float64))
    assert not observation.attention


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


def test_half_precision_is_added_up_without_overflow_or_loss() -> None:
    observation = Observation()
    for value in (1.5, 1.5, 0.0):
        x = torch.full((1, 1, 70000), value, dtype=torch.float16)  # its sum is beyond float16
        assert observation.add_maps([x])[0] is x
    assert observation.maps[0].value().tolist() == [1.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@torch.no_grad()
def test_a_replaced_map_keeps_precision_and_memory_layout(dtype: torch.dtype) -> None:
    network, x = build("U2Net", SMALL), image(SMALL)
    seen: list[Maps] = []
    network.decoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
        network(x)
        with skip_replaced(network, 0, torch.ones(4, dtype=torch.float64)):
            network(x)
    (before, *_), (after, *_) = seen
    assert (after.dtype, after.stride()) == (before.dtype, before.stride())
    assert after.unique().tolist() == [1.0]
    assert not before.is_contiguous(), "a test of a map that is contiguous anyway would test nothing"


def test_networks_without_an_encoder_of_maps_are_refused() -> None:
    with pytest.raises(ValueError, match="Linear has no encoder"), observed(nn.Linear(1, 1), Observation(), "case"):
        pass
    network = nn.Sequential()
    network.encoder = nn.Conv2d(1, 1, 1)
    with pytest.raises(ValueError, match="no list of maps"), observed(network, Observation(), "case"):
        network(torch.zeros(1, 1, 2, 2))
