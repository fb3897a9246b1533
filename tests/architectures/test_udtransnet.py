"""UDTransNet keeps the contract of every network."""

import time

import pytest
import torch

from nnunet_skipx.architectures import UDTransNet
from tests.contract import SMALL, NetworkContract
from tests.plan_shapes import PlanShape

SIZE = {"embedding": 16, "layers": 1, "dropout": 0.0}


class TestUDTransNet(NetworkContract):
    network = UDTransNet
    options = SIZE


class TestUDTransNetSpatial(NetworkContract):
    network = UDTransNet
    options = SIZE | {"recalibration": "spatial"}


class TestUDTransNetTwin(NetworkContract):
    network = UDTransNet
    options = SIZE | {"fusion": False, "selection": False, "recalibration": "neutral"}


def build(shape: PlanShape, **options: object) -> UDTransNet:
    torch.manual_seed(0)
    return UDTransNet(1, 3, patch_size=shape.patch, **SIZE | options, **shape.architecture())


def test_every_option_reaches_the_mechanism() -> None:
    options = {"embedding": 12, "heads": 3, "layers": 5, "dropout": 0.3, "merge": "published"}
    bridge = build(SMALL, **options, recalibration="spatial", fusion=False).skips
    assert bridge.dat.positions.shape[2] == 12
    assert len(bridge.dat.layers) == 5
    layer = bridge.dat.layers[0]
    assert layer.selection.heads == 3
    assert {layer.selection.merge, bridge.dat.layers[4].selection.merge} == {"published"}
    assert {layer.fusion.dropout, layer.selection.dropout, layer.dropout.p, layer.feed_forward.dropout.p} == {0.3}
    assert {dra.recalibration for dra in bridge.dras} == {"spatial"}
    assert (layer.fusion.attends, layer.selection.attends) == (False, True)


def test_the_defaults_are_the_sources() -> None:
    bridge = UDTransNet(1, 3, patch_size=SMALL.patch, **SMALL.architecture()).skips
    layer = bridge.dat.layers[0]
    assert (bridge.dat.positions.shape[2], len(bridge.dat.layers), layer.selection.heads) == (128, 4, 4)
    assert {layer.fusion.dropout, layer.selection.dropout, layer.dropout.p, layer.feed_forward.dropout.p} == {0.1}
    assert layer.selection.merge == "repaired"
    assert bridge.dras[0].recalibration == "channel"


@pytest.mark.parametrize("stage", [4, 5])
def test_skips_as_coarse_as_the_grid_or_coarser_stay_nnunets_own(stage: int) -> None:
    shape = PlanShape((128, 256), (1, 1), 7, features=2)
    network = build(shape).eval()
    assert [dra.patches.kernel_size for dra in network.skips.dras] == [(16, 16), (8, 8), (4, 4), (2, 2)]
    seen = []
    network.decoder_stage(stage).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = torch.randn(1, 1, *shape.patch)
    network(x)
    feature = network.encoder(x)[stage]
    assert seen[0].shape[1] == 2 * feature.shape[1]
    torch.testing.assert_close(seen[0][:, feature.shape[1] :], feature)


def test_a_bridged_stage_sees_the_enlarged_map_first_and_then_what_its_dra_makes() -> None:
    network = build(SMALL).eval()
    seen = []
    network.decoder_stage(1).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = torch.randn(1, 1, *SMALL.patch)
    network(x)
    *features, bottleneck = network.encoder(x)
    enlarged = network.decoder.transpconvs[0](bottleneck)
    skip = network.skips.dras[1](enlarged, network.skips.dat(features)[1])
    torch.testing.assert_close(seen[0], torch.cat([enlarged, skip], 1))


@pytest.mark.parametrize("recalibration", ["channel", "spatial"])
@pytest.mark.parametrize("size", [(32, 24, 16), (8, 16, 32)])
def test_takes_images_of_other_sizes_than_the_plans_patch(size: tuple[int, ...], recalibration: str) -> None:
    network = build(SMALL, recalibration=recalibration)
    logits = network(torch.randn(2, 1, *size))
    assert logits.shape == (2, 3, *size)
    logits.square().mean().backward()
    assert network.skips.dat.positions.grad.abs().max() > 0


@pytest.mark.slow
def test_an_image_of_another_size_is_one_graph_too() -> None:
    network = build(SMALL)
    x = torch.randn(2, 1, 8, 16, 32)
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), network(x), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_compiles_with_dropout_and_its_backward() -> None:
    network = build(SMALL, dropout=0.1, merge="published").train()
    logits = torch.compile(network, fullgraph=True, backend="aot_eager")(torch.randn(2, 1, *SMALL.patch))
    logits.square().mean().backward()
    assert all(p.grad.isfinite().all() for p in network.skips.parameters())


def test_a_patch_too_small_for_attention_is_refused_at_build() -> None:
    shape = PlanShape((16, 16), (1, 1), 3)
    strides = [[1, 1], [4, 4], [4, 4]]
    with pytest.raises(ValueError, match="16x16 voxels in tokens of 16x16 voxels gives 1x1 tokens"):
        UDTransNet(1, 3, patch_size=shape.patch, **SIZE, **shape.architecture() | {"strides": strides})


def test_the_planners_estimate_counts_tokens_and_masks() -> None:
    shape = PlanShape((16, 32), (1, 1), 3)
    network = build(shape)
    stock = super(UDTransNet, network).compute_conv_feature_map_size(shape.patch)
    masks, tokens = 4 * 16 * 32 + 8 * 8 * 16, 4 * 8
    expected = masks + tokens * (16 + 2 * 4) + tokens * (16 + 2 * 8)
    assert network.compute_conv_feature_map_size(shape.patch) - stock == expected


@pytest.mark.parametrize("patch", [(128, 128, 128), (512, 512)])
def test_is_built_within_seconds_at_nnunets_widths(patch: tuple[int, ...]) -> None:
    shape = PlanShape(patch, (1,) * len(patch), 6, features=32)
    arguments = shape.architecture() | {"features_per_stage": [32, 64, 128, 256, 320, 320]}
    start = time.process_time()
    UDTransNet(1, 3, patch_size=patch, **arguments)
    assert time.process_time() - start < 6 * torch.get_num_threads()  # 2 s in one thread
