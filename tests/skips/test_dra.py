"""DRA equals its naive rendering, and the source's reference vectors where they are at hand."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks.naive.udtransnet import naive_dra
from nnunet_skipx.kernels.blocks import multiply_blocks
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.dra import DRA

NORMS = {"instance": (nn.InstanceNorm2d, nn.InstanceNorm3d), "batch": (nn.BatchNorm2d, nn.BatchNorm3d)}
SHAPES = {  # grid of tokens, voxels per token
    "2d": ((3, 4), (4, 4)),
    "2d-one-voxel-per-token": ((4, 3), (1, 1)),
    "3d": ((2, 3, 2), (2, 2, 2)),
    "3d-anisotropic": ((3, 2, 4), (1, 4, 2)),
}
EMBEDDING, DECODER, SKIP = 8, 6, 5


def setup(shape: str, norm: str = "instance", **options: Any) -> tuple[DRA, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    grid, patch = SHAPES[shape]
    dim = len(grid)
    ops = BlockOps(
        (nn.Conv2d, nn.Conv3d)[dim - 2], NORMS[norm][dim - 2], {"affine": True}, nn.LeakyReLU, {"inplace": True}
    )
    module = DRA(ops, DECODER, SKIP, patch, EMBEDDING, **options).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    size = [n * p for n, p in zip(grid, patch, strict=True)]
    tokens = 1
    for n in grid:
        tokens *= n
    decoder_map = torch.randn(2, DECODER, *size, dtype=torch.float64, requires_grad=True)
    return module, decoder_map, torch.randn(2, tokens, EMBEDDING, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("recalibration", ["channel", "spatial"])
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_the_naive_rendering_with_all_gradients(
    shape: str, recalibration: str, norm: str, training: bool
) -> None:
    module, decoder_map, tokens = setup(shape, norm, recalibration=recalibration)
    module.train(training)
    leaves = [*module.parameters(), decoder_map, tokens]
    results = []
    for function in (module, lambda *x: naive_dra(module, *x)):
        skip = function(decoder_map, tokens)
        weights = torch.linspace(-1, 1, skip.numel(), dtype=torch.float64).view_as(skip)
        results.append([skip, *torch.autograd.grad((skip * weights).sum(), leaves)])
    for ours, naive in zip(*results, strict=True):
        torch.testing.assert_close(ours, naive, rtol=1e-9, atol=1e-10)


def test_equals_the_naive_rendering_in_float32() -> None:
    module, decoder_map, tokens = setup("3d")
    naive = naive_dra(module, decoder_map, tokens)
    ours = module.float()(decoder_map.float(), tokens.float())
    torch.testing.assert_close(ours.double(), naive, rtol=1e-4, atol=1e-4)


def test_blocks_multiply_as_if_enlarged_by_nearest_neighbour() -> None:
    x, blocks = torch.randn(2, 3, 4, 6, 5), torch.randn(2, 3, 2, 2, 5)
    enlarged = nn.functional.interpolate(blocks, size=x.shape[2:], mode="nearest")
    torch.testing.assert_close(multiply_blocks(x, blocks), x * enlarged)
    turned = x.transpose(3, 4)
    torch.testing.assert_close(multiply_blocks(turned, blocks.transpose(3, 4)), turned * enlarged.transpose(3, 4))


def test_the_answer_is_the_same_for_all_voxels_of_a_token() -> None:
    module, decoder_map, tokens = setup("2d")
    quotient = module(decoder_map, tokens) / module.mask(decoder_map)
    blocks = quotient.unflatten(3, (4, 4)).unflatten(2, (3, 4))
    torch.testing.assert_close(blocks, blocks[:, :, :, :1, :, :1].expand_as(blocks))


def test_with_spatial_recalibration_the_order_of_the_tokens_does_not_matter() -> None:
    module, decoder_map, tokens = setup("2d", recalibration="spatial")
    order = torch.randperm(tokens.shape[1])
    torch.testing.assert_close(module(decoder_map, tokens[:, order]), module(decoder_map, tokens))
    module.recalibration = "channel"
    assert (module(decoder_map, tokens[:, order]) - module(decoder_map, tokens)).abs().max() > 1e-2


def test_samples_do_not_mix() -> None:
    module, decoder_map, tokens = setup("3d", recalibration="spatial")
    torch.testing.assert_close(module(decoder_map[1:], tokens[1:]), module(decoder_map, tokens)[1:])


@pytest.mark.parametrize("recalibration", ["channel", "spatial"])
def test_the_twin_has_the_same_parameters_and_no_attention(recalibration: str) -> None:
    module, decoder_map, tokens = setup("2d", recalibration="neutral")
    dual, _, _ = setup("2d", recalibration=recalibration)
    assert {k: v.shape for k, v in module.state_dict().items()} == {k: v.shape for k, v in dual.state_dict().items()}
    decoder_tokens = module.patches(decoder_map).flatten(2).mT
    expected = module.project(module.query(decoder_tokens) + module.key(tokens) + module.value(tokens))
    torch.testing.assert_close(module.recalibrate(decoder_tokens, tokens), expected)


@pytest.mark.parametrize("recalibration", ["channel", "spatial", "neutral"])
def test_every_parameter_has_a_gradient(recalibration: str) -> None:
    module, decoder_map, tokens = setup("3d-anisotropic", recalibration=recalibration)
    (module(decoder_map, tokens) ** 3).sum().backward()
    norm_cancels = ("mask_conv.bias", "restore_conv.bias")
    assert all(p.grad.abs().max() > 0 for name, p in module.named_parameters() if name not in norm_cancels)
    assert all(p.grad is not None for p in module.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("recalibration", ["channel", "spatial"])
def test_scores_beyond_half_precision_stay_finite_and_close_under_autocast(
    recalibration: str, dtype: torch.dtype
) -> None:
    module, decoder_map, tokens = setup("2d", recalibration=recalibration)
    decoder_map, tokens, module = decoder_map.detach().float(), tokens.detach().float(), module.float()
    with torch.no_grad():
        module.query.weight.mul_(200)
        module.key.weight.mul_(200)
    q, k = module.query(module.patches(decoder_map).flatten(2).mT), module.key(tokens)
    assert (q.mT @ k if recalibration == "channel" else q @ k.mT).abs().max() > 65504
    with torch.autocast("cpu", dtype=dtype):
        skip = module(decoder_map, tokens)
    skip.float().square().sum().backward()
    assert skip.isfinite().all()
    assert all(p.grad.isfinite().all() for p in module.parameters())
    expected = module(decoder_map, tokens)
    assert (skip - expected).abs().mean() < 0.1 * expected.abs().mean()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recalibration": "both"}, "recalibration must be 'channel' or 'spatial' or 'neutral', got 'both'"),
    ],
)
def test_options_that_do_not_exist_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DRA(BlockOps(nn.Conv2d), 4, 4, (2, 2), **options)


def test_parity_with_the_reference_vectors() -> None:
    from tests.parity import check_file

    files = sorted((Path(__file__).parents[3] / "shared" / "reference").glob("udtransnet_dra*.npz"))
    if not files:
        pytest.skip("no reference vectors beside this checkout (../shared/reference)")
    assert all(check_file(file) for file in files)


def test_batch_norm_sees_each_map_once_per_step() -> None:
    module, decoder_map, tokens = setup("2d", "batch")
    module.train()(decoder_map, tokens).sum().backward()
    assert module.mask_norm.num_batches_tracked == 1
    mean = module.mask_conv(decoder_map).mean((0, 2, 3))
    torch.testing.assert_close(module.mask_norm.running_mean, 0.1 * mean)
    assert module.restore_norm.num_batches_tracked == 1


def test_neither_the_mask_nor_the_enlarged_answer_is_kept_for_the_backward() -> None:
    module, decoder_map, tokens = setup("2d")
    kept = []

    def note(x: torch.Tensor) -> torch.Tensor:
        if x.numel() >= SKIP * decoder_map[0, 0].numel() * len(decoder_map):
            kept.append(x.data_ptr())
        return x

    with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        module(decoder_map, tokens)
    assert set(kept) == {decoder_map.data_ptr()}
