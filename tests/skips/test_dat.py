"""DAT equals its naive rendering, and the source's reference vectors where they are at hand."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.naive.udtransnet import naive_dat
from nnunet_skipx.kernels.instance_norm_attention import channel_attention, spatial_attention
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.dat import DAT
from nnunet_skipx.skips.dat_layer import DATOptions
from nnunet_skipx.skips.token_grid import TokenGrid, token_grid

GRIDS = {  # patch of the plan in voxels, strides of its stages
    "2d": ((32, 32), [(1, 1), (2, 2), (2, 2), (2, 2)]),
    "2d-not-square": ((24, 40), [(1, 1), (2, 2), (2, 2), (2, 2)]),
    "3d": ((8, 16, 12), [(1, 1, 1), (2, 2, 2), (2, 2, 2)]),
    "3d-anisotropic": ((5, 16, 16), [(1, 1, 1), (1, 2, 2), (1, 2, 2), (1, 2, 2)]),
    "2d-coarser-skips-left-out": ((32, 48), [(1, 1), (4, 4), (4, 4), (1, 1), (2, 2)]),
}
CHANNELS = [3, 4, 6, 5]


def setup(name: str, **options: Any) -> tuple[DAT, list[torch.Tensor]]:
    torch.manual_seed(0)
    patch_size, strides = GRIDS[name]
    grid = token_grid(patch_size, strides)
    channels = CHANNELS[: len(grid.patches)]
    ops = BlockOps((nn.Conv2d, nn.Conv3d)[len(patch_size) - 2])
    module = DAT(ops, channels, grid, DATOptions(**{"embedding": 16, "layers": 2, "dropout": 0.0} | options)).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.4)
    return module, maps(grid, channels, grid.size)


def maps(grid: TokenGrid, channels: list[int], tokens: tuple[int, ...], batch: int = 2) -> list[torch.Tensor]:
    sizes = [[n * p for n, p in zip(tokens, patch, strict=True)] for patch in grid.patches]
    return [
        torch.randn(batch, c, *size, dtype=torch.float64).requires_grad_()
        for c, size in zip(channels, sizes, strict=True)
    ]


@pytest.mark.parametrize("merge", ["repaired", "published"])
@pytest.mark.parametrize("name", GRIDS)
def test_equals_the_naive_rendering_with_all_gradients(name: str, merge: str) -> None:
    module, features = setup(name, merge=merge)
    leaves = [*module.parameters(), *features]
    results = []
    for function in (module, lambda x: torch.stack(naive_dat(module, x))):
        tokens = function(features)
        weights = torch.linspace(-1, 1, tokens.numel(), dtype=torch.float64).view_as(tokens)
        results.append([tokens, *torch.autograd.grad((tokens * weights).sum(), leaves)])
    for ours, naive in zip(*results, strict=True):
        torch.testing.assert_close(ours, naive, rtol=1e-10, atol=1e-10)


def test_equals_the_naive_rendering_in_float32() -> None:
    module, features = setup("3d")
    naive = torch.stack(naive_dat(module, features))
    ours = module.float()([x.float() for x in features])
    torch.testing.assert_close(ours.double(), naive, rtol=1e-4, atol=1e-4)


def test_the_two_merges_differ_for_all_scales_but_the_first() -> None:
    module, features = setup("2d", layers=1)
    repaired = module(features)
    module.layers[0].selection.merge = "published"
    published = module(features)
    torch.testing.assert_close(published[0], repaired[0])
    assert all((published[s] - repaired[s]).abs().max() > 1e-2 for s in (1, 2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_scores_beyond_half_precision_stay_finite_and_right_under_autocast(dtype: torch.dtype) -> None:
    module, features = setup("2d")
    module = module.float()
    with torch.no_grad():  # products of queries and keys reach 1e5 and more; half precision ends at 65504
        for layer in module.layers:
            for parameter in (*layer.fusion.parameters(), *layer.selection.parameters()):
                parameter.mul_(30)
    features = [x.detach().float() for x in features]
    joint = module.layers[0].joint_norm(torch.cat(list(module.embed(features)), 2))
    fusion = module.layers[0].fusion
    assert (fusion.query(joint).mT @ fusion.key(joint)).abs().max() > 65504
    with torch.autocast("cpu", dtype=dtype):
        tokens = module(features)
    assert tokens.dtype == torch.float32
    tokens.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in module.parameters())
    assert (tokens - module(features)).abs().mean() < 0.15


def test_dropout_acts_in_training_only_and_has_the_right_mean() -> None:
    module, features = setup("2d", dropout=0.5, layers=1)
    torch.testing.assert_close(module.eval()(features), torch.stack(naive_dat(module, features)))
    module.train()
    assert (module(features) - module(features)).abs().max() > 1e-3
    q, k, v = (torch.randn(1, 1, n, 8) for n in (4, 16, 16))
    drawn = torch.stack([spatial_attention(q[None], k, v, dropout=0.5) for _ in range(3000)]).mean(0)
    torch.testing.assert_close(drawn, spatial_attention(q[None], k, v), rtol=0, atol=0.06)
    one = torch.stack([channel_attention(q[0], q[0], q[0], dropout=0.5) for _ in range(3000)]).mean(0)
    torch.testing.assert_close(one, channel_attention(q[0], q[0], q[0]), rtol=0, atol=0.06)


@pytest.mark.parametrize("part", ["fusion", "selection", "project", "hidden", "second map"])
def test_every_dropout_of_the_source_is_there(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, features = setup("2d", dropout=0.3, layers=1)
    layer = module.train().layers[0]
    for name, values in {"fusion": layer.fusion, "selection": layer.selection}.items():
        values.dropout = 0.3 if name == part else 0.0
    layer.dropout.p = 0.3 if part == "project" else 0.0
    calls = []

    def drop(x: torch.Tensor) -> torch.Tensor:
        calls.append(x.shape[-1])
        return F.dropout(x, 0.3) if len(calls) == {"hidden": 1, "second map": 2}.get(part) else x

    monkeypatch.setattr(layer.feed_forward.dropout, "forward", drop)
    first = module(features)
    assert calls == [32, 16]
    calls.clear()
    assert (first - module(features)).abs().max() > 1e-3


def test_the_order_of_samples_is_kept_and_samples_do_not_mix() -> None:
    module, features = setup("3d")
    together = module(features)
    alone = module([x[1:] for x in features])
    torch.testing.assert_close(together[:, 1:], alone)


def test_tokens_run_along_the_last_axis_first() -> None:
    module, features = setup("2d-not-square", layers=0)
    moved = [x.detach().clone() for x in features]
    moved[0][:, :, :8, 8:16] += 1  # the second token of the first row of tokens
    changed = (module.embed(moved) - module.embed(features)).abs().amax((1, 3))
    assert changed[0].nonzero()[:, 0].tolist() == [1]
    assert not changed[1:].any()


def test_positions_are_interpolated_on_another_grid() -> None:
    module, _ = setup("2d-not-square")
    torch.testing.assert_close(module.positions_on((3, 5)), module.positions)
    rows = torch.arange(3, dtype=torch.float64)[:, None].expand(3, 5)
    with torch.no_grad():
        module.positions.copy_(rows.flatten()[None, :, None])
    doubled = module.positions_on((6, 5)).unflatten(1, (6, 5))
    expected = torch.tensor([0, 0.25, 0.75, 1.25, 1.75, 2], dtype=torch.float64)
    torch.testing.assert_close(doubled, expected[None, :, None, None].expand_as(doubled))
    channels = CHANNELS[: len(module.patches)]
    tokens = module(maps(module.grid, channels, (6, 4)))
    assert tokens.shape == (3, 2, 24, 16)


def test_the_twin_has_the_same_parameters_and_no_attention() -> None:
    module, features = setup("2d", layers=1, fusion=False, selection=False)
    dual, _ = setup("2d", layers=1)
    assert {k: v.shape for k, v in module.state_dict().items()} == {k: v.shape for k, v in dual.state_dict().items()}
    layer, tokens = module.layers[0], module.embed(features)
    joint = layer.joint_norm(torch.cat(list(tokens), 2))
    fusion, selection = layer.fusion, layer.selection
    fused = (fusion.query(joint) + fusion.key(joint) + fusion.value(joint)).chunk(len(tokens), 2)
    own = sum(selection.key(x) + selection.value(x) for x in fused) / len(tokens)
    context = selection.query(layer.norm(tokens)) + own
    torch.testing.assert_close(layer.selection(layer.norm(tokens), layer.fusion(joint)), context)
    others = [x.detach().clone() for x in features]
    for x in others:
        x[..., -1, -1] += 5  # a change of the last token is seen by that token alone
    changed = (module(others) - module(features)).abs().amax((0, 1, 3))
    assert changed[:-1].max() < 1e-12
    assert changed[-1] > 1e-3


@pytest.mark.parametrize("fusion", [True, False])
@pytest.mark.parametrize("selection", [True, False])
def test_every_parameter_has_a_gradient(fusion: bool, selection: bool) -> None:
    module, features = setup("3d-anisotropic", fusion=fusion, selection=selection)
    (module(features) ** 3).sum().backward()
    assert all(p.grad.abs().max() > 0 for p in module.parameters())


def test_starts_as_the_source_does() -> None:
    torch.manual_seed(0)
    module = DAT(BlockOps(nn.Conv2d), [3, 4], TokenGrid((4, 4), ((2, 2), (1, 1))), DATOptions(layers=2))
    first, second = module.layers
    assert not module.positions.any()
    selection = first.selection
    weights = {
        256: [first.fusion.query.weight, first.fusion.key.weight, first.fusion.value.weight],
        128: [selection.key.weight, selection.value.weight, selection.query.weight[1], first.project.weight[0]],
        192: [first.feed_forward.expand.weight[0], first.feed_forward.project.weight[1]],
    }
    for mean_of_fans, tensors in weights.items():
        bound = (3 / mean_of_fans) ** 0.5
        for tensor in tensors:
            assert bound * 0.98 < tensor.abs().max() < bound
    assert 0.5e-6 < first.feed_forward.expand.bias.std() < 2e-6
    assert (first.fusion.query.weight - second.fusion.query.weight).abs().max() > 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embedding": 30}, "embedding=30 cannot be split into heads=4"),
        ({"merge": "broken"}, "merge must be 'repaired' or 'published', got 'broken'"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DATOptions(**options)


def test_parity_with_the_reference_vectors() -> None:
    from tests.parity import check_file

    files = sorted((Path(__file__).parents[3] / "shared" / "reference").glob("udtransnet_dat*.npz"))
    if not files:
        pytest.skip("no reference vectors beside this checkout (../shared/reference)")
    assert all(check_file(file) for file in files)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_of_a_layer_only_its_tokens_are_kept_for_the_backward(dropout: float) -> None:
    def kept(layers: int) -> int:
        module, features = setup("2d", dropout=dropout, layers=layers)
        shapes = []

        def note(x: torch.Tensor) -> torch.Tensor:
            shapes.append(x.numel())
            return x

        with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
            tokens = module.train()(features)
        return sum(shapes) / tokens.numel()

    assert kept(3) - kept(2) <= 1


def test_the_backward_drops_what_the_forward_dropped() -> None:
    module, features = setup("2d", dropout=0.3)

    def kept_whole(x: list[torch.Tensor]) -> torch.Tensor:
        tokens = module.embed(x)
        for layer in module.layers:
            tokens = layer(tokens)
        return module.norm(tokens)

    results = []
    for function in (module, kept_whole):
        torch.manual_seed(3)
        tokens = function(features)
        results.append([tokens, *torch.autograd.grad((tokens**3).sum(), list(module.parameters()))])
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain)
