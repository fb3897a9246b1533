"""The cross-over equals its naive rendering, and never makes a map that the concatenation would need."""

import json
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.naive.cross_over import naive_cross_over
from nnunet_skipx.kernels import nearest_conv
from nnunet_skipx.kernels.nearest_conv import nearest_resize
from nnunet_skipx.skips.cross_over import CrossOver, reduced_for_each_stage
from tests.parity import Reference, check_file, compare
from tests.parity_cases import xunet

# name: sizes of the encoder's maps, kernel of the decoder stages
PYRAMIDS = {
    "2d": ([(48, 32), (24, 16), (12, 8), (6, 4), (3, 2)], (3, 3)),
    "2d-large-neighbour": ([(80, 72), (40, 36), (20, 18)], (3, 3)),
    "2d-to-one-voxel": ([(8, 8), (4, 4), (2, 2), (1, 1), (1, 1)], (3, 3)),
    "3d": ([(16, 24, 16), (8, 12, 8), (4, 6, 4), (2, 3, 2)], (3, 3, 3)),
    "3d-large-neighbour": ([(24, 24, 16), (12, 12, 8), (6, 6, 4)], (3, 3, 3)),
    "3d-flat-kernel": ([(5, 48, 32), (5, 24, 16), (5, 12, 8), (5, 6, 4)], (1, 3, 3)),
    "3d-flat-kernel-then-pooled": ([(6, 24, 16), (6, 12, 8), (3, 6, 4), (1, 3, 2)], (1, 3, 3)),
    "3d-stride-1-then-2": ([(6, 24, 16), (6, 12, 8), (3, 6, 4), (1, 3, 2)], (3, 3, 3)),
    "3d-axis-that-stays": ([(5, 24, 16), (5, 12, 8), (5, 6, 4)], (3, 3, 3)),
    "2d-stride-3": ([(36, 27), (12, 9), (4, 3)], (3, 3)),
    "2d-stages-of-the-same-size": ([(12, 8), (6, 4), (6, 4), (6, 4)], (3, 3)),
    "2d-kernel-5": ([(24, 16), (12, 8), (6, 4)], (5, 3)),
    "2d-not-divisible": ([(23, 18), (12, 9), (6, 5), (3, 3)], (3, 3)),
    "2d-factors-that-do-not-nest": ([(24, 24), (12, 12), (8, 8), (4, 4)], (3, 3)),
    "3d-not-divisible": ([(11, 9, 10), (6, 5, 5), (3, 3, 3)], (3, 3, 3)),
}
CHANNELS = [3, 4, 6, 5, 2]


def setup(
    pyramid: str, attention: bool = False, dtype: torch.dtype = torch.float64
) -> tuple[list[CrossOver], list[nn.Module], list[torch.Tensor], list[torch.Tensor]]:
    """One module, one stock convolution and one u per decoder stage, and the encoder's maps."""
    torch.manual_seed(0)
    sizes, kernel = PYRAMIDS[pyramid]
    channels = CHANNELS[: len(sizes)]
    conv_op, padding = (nn.Conv2d, nn.Conv3d)[len(kernel) - 2], [k // 2 for k in kernel]
    modules, convs, us = [], [], []
    for stage, (c, size) in enumerate(zip(channels[:-1], sizes, strict=False)):
        modules.append(CrossOver(channels, stage, c + 2, c + 1, kernel, attention, 4).to(dtype))
        convs.append(conv_op(2 * c + 2, c + 1, kernel, padding=padding).to(dtype))
        us.append(torch.randn(2, c + 2, *size, dtype=dtype, requires_grad=True))
    maps = [torch.randn(2, c, *s, dtype=dtype, requires_grad=True) for c, s in zip(channels, sizes, strict=True)]
    return modules, convs, us, maps


def ours(module: CrossOver, conv: nn.Module, u: torch.Tensor, maps: Sequence[torch.Tensor]) -> torch.Tensor:
    seen, extra = module(u, maps)
    return conv(seen) + extra


def naive(module: CrossOver, conv: Any, u: torch.Tensor, maps: Sequence[torch.Tensor]) -> torch.Tensor:
    return naive_cross_over(module, conv.weight, conv.bias, u, maps)


def all_stages(function: Callable[..., torch.Tensor], parts: tuple) -> list[torch.Tensor]:
    """The outputs of all decoder stages, then the gradients of a function of them."""
    modules, convs, us, maps = parts
    outputs = [function(*stage, maps) for stage in zip(modules, convs, us, strict=True)]
    leaves = [p for part in (*modules, *convs) for p in part.parameters()] + us + maps
    torch.manual_seed(1)
    loss = sum((y * torch.randn_like(y)).sum() + y.square().mean() for y in outputs)
    return [*outputs, *torch.autograd.grad(loss, leaves)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("attention", [False, True], ids=["plain", "attention"])
@pytest.mark.parametrize("pyramid", PYRAMIDS)
def test_equals_the_naive_rendering_with_all_gradients(
    pyramid: str, attention: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "large-neighbour" in pyramid:
        monkeypatch.setattr(nearest_conv, "FEW_VOXELS", 100)
    parts = setup(pyramid, attention, dtype)
    tolerance = 1e-4 if dtype == torch.float32 else 1e-10
    for a, b in zip(all_stages(ours, parts), all_stages(naive, parts), strict=True):
        assert a.shape == b.shape
        assert (a - b).abs().max() <= tolerance * max(1, b.abs().max())


def test_the_pyramids_take_every_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the test above would not see a way that is wrong."""
    monkeypatch.setattr(nearest_conv, "FEW_VOXELS", 100)
    ways = {nearest_conv.route(small, kernel, sizes[0]) for sizes, kernel in PYRAMIDS.values() for small in sizes[1:]}
    assert ways == {"plain", "phase", "taps"}


@pytest.mark.parametrize("old", range(1, 13))
def test_nearest_resizing_copies_voxel_floor_of_i_times_old_over_new(old: int) -> None:
    x = torch.arange(old, dtype=torch.float64).expand(1, 1, 3, old)
    for new in range(1, 40):
        expected = torch.tensor([float(i * old // new) for i in range(new)], dtype=torch.float64)
        assert torch.equal(nearest_resize(x, (3, new))[0, 0, 1], expected)


@pytest.mark.parametrize("pyramid", ["2d", "3d-stride-1-then-2"])
def test_reducing_step_by_step_is_reducing_at_once(pyramid: str) -> None:
    *_, maps = setup(pyramid)
    for own, at_stage in zip(maps, reduced_for_each_stage(maps), strict=True):
        for x, reduced in zip(maps, at_stage, strict=True):
            size = own.shape[2:] if x.shape[2] * x.shape[3] > own.shape[2] * own.shape[3] else x.shape[2:]
            assert torch.equal(reduced, nearest_resize(x, size))


class Watch(TorchDispatchMode):
    """The largest tensor that any operation makes, in elements, and what all convolutions put out."""

    largest = convolved = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        sizes = [x.numel() for x in tree_leaves(result) if isinstance(x, torch.Tensor)]
        self.largest = max([self.largest, *sizes])
        self.convolved += sum(sizes) if func is torch.ops.aten.convolution.default else 0
        return result


def largest_tensor(function: Callable[..., torch.Tensor], parts: tuple) -> int:
    """In forward and backward of all stages."""
    with Watch() as watch:
        all_stages(function, parts)
    return watch.largest


@pytest.mark.parametrize("attention", [False, True], ids=["plain", "attention"])
@pytest.mark.parametrize("pyramid", ["2d-large-neighbour", "3d-large-neighbour"])
def test_no_tensor_is_larger_than_the_stock_input_of_the_top_stage(pyramid: str, attention: bool) -> None:
    parts = setup(pyramid, attention)
    stock_input = parts[2][0].numel() + parts[3][0].numel()
    summed = parts[2][0].numel() * sum(parts[0][0].channels)
    assert largest_tensor(naive, parts) * parts[2][0].shape[1] >= summed  # else the watch sees nothing
    assert largest_tensor(ours, parts) <= stock_input


@pytest.mark.parametrize("pyramid", PYRAMIDS)
def test_the_estimate_is_what_the_convolutions_put_out(pyramid: str) -> None:
    modules, _, us, maps = setup(pyramid)
    for module, u in zip(modules, us, strict=True):
        with torch.no_grad(), Watch() as watch:
            module(u, maps)
        assert module.compute_conv_feature_map_size([x.shape[2:] for x in maps]) * len(u) == watch.convolved


@pytest.mark.parametrize("attention", [False, True], ids=["plain", "attention"])
def test_every_stage_sees_every_map_and_a_sample_does_not_depend_on_the_rest_of_the_batch(attention: bool) -> None:
    modules, convs, us, maps = setup("2d", attention)
    for stage in zip(modules, convs, us, strict=True):
        y = ours(*stage, maps)
        for gradient in torch.autograd.grad(y[1].square().sum(), [stage[2], *maps], retain_graph=True):
            assert gradient[1].abs().max() > 0
            assert gradient[0].abs().max() == 0


def test_moving_all_maps_by_a_block_of_the_deepest_moves_the_inner_output() -> None:
    (module, *_), (conv, *_), (u, *_), maps = setup("2d")
    block = maps[0].shape[2] // maps[-1].shape[2]
    moved = [torch.roll(x, x.shape[2] // 3, 2) for x in (u, *maps)]
    y, z = ours(module, conv, u, maps), ours(module, conv, moved[0], moved[1:])
    torch.testing.assert_close(z[:, :, block + 1 : -1], y[:, :, 1 : -block - 1])


def test_kernels_start_as_those_of_a_convolution_over_the_whole_concatenation() -> None:
    channels = [32, 64, 128]
    module = CrossOver(channels, 0, 32, 32, (3, 3))
    whole = nn.init.kaiming_normal_(torch.empty(32, 32 + sum(channels), 3, 3), a=1e-2)
    assert abs(module.weight.std() / whole.std() - 1) < 0.03
    assert abs(module.weight.mean()) < 0.03 * whole.std()


def test_the_attention_stays_in_float32_under_autocast() -> None:
    modules, _, us, maps = setup("2d", attention=True, dtype=torch.float32)
    parts = [us[0], *maps]
    expected = modules[0].channel_weights(parts)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        weights = modules[0].channel_weights(parts)
        seen, _ = modules[0](us[0].bfloat16(), [x.bfloat16() for x in maps])
    assert weights.dtype == torch.float32 and seen.dtype == torch.bfloat16
    torch.testing.assert_close(weights, expected, rtol=0, atol=0)


def source_values(reference: Reference) -> dict[str, torch.Tensor]:
    """The source's network as its definition reads: concatenation with F.interpolate, attention, one convolution."""
    p = reference.group("param")
    maps = xunet.encode(reference.values["in/x"], p)
    values, t = {}, maps[-1]
    for k in xunet.LEVELS:
        deconv = F.conv_transpose3d if t.ndim == 5 else F.conv_transpose2d
        u = deconv(t, p[f"upcat_{k}.upsample.deconv.weight"], p[f"upcat_{k}.upsample.deconv.bias"], stride=2)
        z = torch.cat([u, *(F.interpolate(x, size=u.shape[2:], mode="nearest") for x in maps)], 1)
        if f"upcat_{k}.attention.fc.0.weight" in p:
            first, second = (p[f"upcat_{k}.attention.fc.{n}.weight"] for n in (0, 2))
            weights = torch.sigmoid(torch.relu(z.flatten(2).mean(2) @ first.T) @ second.T)
            z = z * weights.view(*weights.shape, *[1] * (z.ndim - 2))
            values[f"mid/attn{k}"] = weights
        for j in (0, 1):
            z = xunet.run_unit(z, p, f"upcat_{k}.convs.conv_{j}")
        t = values[f"mid/u{k}"] = z
    return values | {"out64/logits": xunet.convolve(t, p["final_conv.weight"], p["final_conv.bias"])}


def made_reference(path: Path, spatial: Sequence[int], features: Sequence[int], attention: bool) -> Reference:
    """A file like the source's vectors for another size, with values from `source_values`."""
    generator = torch.Generator().manual_seed(3)
    kernel, kernel_2, arrays = [3] * len(spatial), [2] * len(spatial), {}

    def layer(name: str, *shape: int, bias: int | None = None) -> None:
        arrays[f"param/{name}.weight"] = torch.randn(*shape, generator=generator) / prod(shape[1:]) ** 0.5 + 0.1
        if bias is not None:
            arrays[f"param/{name}.bias"] = torch.randn(bias, generator=generator)

    def two(name: str, seen: int, out: int) -> None:
        for j, c in enumerate((seen, out)):
            layer(f"{name}.conv_{j}.conv", out, c, *kernel, bias=out)
            layer(f"{name}.conv_{j}.adn.N", out, bias=out)

    two("conv_0", 1, features[0])
    for k in xunet.LEVELS:
        two(f"down_{k}.convs", features[k - 1], features[k])
        up = features[k] // 2 if k > 1 else features[1]
        joined, out = up + sum(features[:5]), features[k - 1] if k > 1 else features[5]
        layer(f"upcat_{k}.upsample.deconv", features[k], up, *kernel_2, bias=up)
        two(f"upcat_{k}.convs", joined, out)
        if attention:
            layer(f"upcat_{k}.attention.fc.0", joined // 16, joined)
            layer(f"upcat_{k}.attention.fc.2", joined, joined // 16)
    layer("final_conv", 3, features[5], *[1] * len(spatial), bias=3)
    arrays["in/x"] = torch.randn(2, 1, *spatial, generator=generator)
    meta = {"case": "xunet_made", "config": {"features": features}, "max_abs_diff_float32_vs_float64": {}}
    np.savez(path, meta=json.dumps(meta), **arrays)
    reference = Reference(path)
    reference.values |= source_values(reference)
    return reference


@pytest.mark.parametrize("attention", [False, True], ids=["plain", "attention"])
@pytest.mark.parametrize("spatial", [(48, 32), (75, 50), (37, 32, 50)], ids=str)
def test_parity_holds_at_other_sizes_and_widths(spatial: tuple[int, ...], attention: bool, tmp_path: Path) -> None:
    reference = made_reference(tmp_path / "made.npz", spatial, [3, 5, 6, 7, 10, 4], attention)
    rows = compare(reference, xunet.evaluate(reference))
    assert len(rows) == (9 if attention else 5)
    assert all(difference <= limit for _, difference, limit in rows), rows


def test_parity_refuses_other_parameter_names(tmp_path: Path) -> None:
    reference = made_reference(tmp_path / "made.npz", (32, 32), [3, 5, 6, 7, 10, 4], False)
    reference.values["param/final_conv.scale"] = reference.values.pop("param/final_conv.bias")
    with pytest.raises(ValueError, match=r"final_conv\.bias.*final_conv\.scale"):
        xunet.evaluate(reference)


def test_parity_with_the_reference_vectors() -> None:
    files = sorted((Path(__file__).parents[3] / "shared" / "reference").glob("xunet*.npz"))
    if not files:
        pytest.skip("no reference vectors beside this checkout (../shared/reference)")
    assert all(check_file(file) for file in files)
