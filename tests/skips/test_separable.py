"""The separable unit equals its naive rendering, shares what it should share, and keeps little for the backward."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.naive.separable import naive_separable
from nnunet_skipx.kernels import channels_last
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.full_unit import FullUnit
from nnunet_skipx.skips.separable import Separable, norm_and_activate

NORMS = {"instance": (nn.InstanceNorm2d, nn.InstanceNorm3d), "batch": (nn.BatchNorm2d, nn.BatchNorm3d)}
SIZES = {2: (8, 12), 3: (4, 8, 6)}
CALLS: dict[str, tuple[int, dict[str, Any]]] = {  # channels of the skip, arguments of the call
    "as-it-is": (0, {}),
    "activated": (0, {"activated": True}),
    "skip": (3, {"activated": True}),
    "enlarged": (0, {"factor": 2}),
    "enlarged-in-plane": (0, {"factor": (1, 2, 2), "activated": True}),
}
KERNELS = {  # dimensions, kernel, stride
    "3d": (3, (3, 3, 3), (1, 1, 1)),
    "3d-strided": (3, (3, 3, 3), (2, 2, 2)),
    "3d-anisotropic-strided": (3, (1, 3, 3), (1, 2, 2)),
    "2d": (2, (3, 3), (1, 1)),
    "2d-strided": (2, (3, 3), (2, 2)),
}


def op_types(dim: int = 3, norm: str | None = "instance", nonlin: type[nn.Module] = nn.LeakyReLU) -> BlockOps:
    inplace = {} if nonlin is nn.GELU else {"inplace": True}
    norm_op = None if norm is None else NORMS[norm][dim - 2]
    return BlockOps((nn.Conv2d, nn.Conv3d)[dim - 2], norm_op, {"affine": True}, nonlin, inplace)


def setup(
    kernel: str, call: str, ops: BlockOps | None = None, dtype: torch.dtype = torch.float64
) -> tuple[Separable, list[torch.Tensor], dict[str, Any]]:
    """A unit with random parameters, its leaf tensors, and how to call it."""
    torch.manual_seed(0)
    dim, size, stride = KERNELS[kernel]
    skip_channels, options = CALLS[call]
    unit = Separable(ops or op_types(dim), 5 + skip_channels, 6, size, stride).to(dtype)
    for parameter in unit.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(2, 5, *SIZES[dim], dtype=dtype, requires_grad=True)
    leaves, options = [x], options | {"x": x}
    if "factor" in options:
        factor = options["factor"]
        options["factor"] = (factor,) * dim if isinstance(factor, int) else factor[-dim:]
    if skip_channels:
        options["skip"] = torch.randn(2, skip_channels, *SIZES[dim], dtype=dtype, requires_grad=True)
        leaves.append(options["skip"])
    return unit, [*leaves, *unit.parameters()], options


def assert_equals_naive(unit: Separable, leaves: list[torch.Tensor], options: dict[str, Any], limit: float) -> None:
    ours, naive = unit(**options), naive_separable(unit, **options)
    torch.testing.assert_close(ours, naive, rtol=limit, atol=limit)
    direction = torch.randn_like(naive)
    gradients = [torch.autograd.grad(y, leaves, direction) for y in (ours, naive)]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=limit, atol=limit * float(1 + b.abs().max()))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_equals_the_naive_rendering_with_all_gradients(kernel: str, call: str) -> None:
    assert_equals_naive(*setup(kernel, call), limit=1e-10)
    assert_equals_naive(*setup(kernel, call, dtype=torch.float32), limit=1e-4)


@pytest.mark.parametrize(
    "ops",
    [op_types(norm="batch"), op_types(nonlin=nn.GELU), op_types(nonlin=nn.ReLU), op_types(norm=None)],
    ids=["batch norm", "GELU", "ReLU", "no norm"],
)
@pytest.mark.parametrize("call", CALLS)
def test_equals_the_naive_rendering_with_other_norms_and_activations(call: str, ops: BlockOps) -> None:
    assert_equals_naive(*setup("3d", call, ops), limit=1e-10)


@pytest.mark.parametrize("call", CALLS)
def test_the_size_of_the_pieces_changes_nothing(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels_last, "CACHE_ELEMENTS", 7 * 2 * 8)
    assert len(channels_last.pieces(torch.zeros(2, 192, 8))) == 28
    assert_equals_naive(*setup("3d", call), limit=1e-10)


def test_constant_channels_and_large_means_stay_accurate() -> None:
    unit, _, options = setup("3d", "activated", dtype=torch.float32)
    with torch.no_grad():
        options["x"][:, 0] = 3.0
        options["x"] += 100
        unit.norm.bias += 10
    reference, _, _ = setup("3d", "activated")
    reference.load_state_dict(unit.state_dict())
    exact = naive_separable(reference, options["x"].double(), activated=True)
    naive_error = (naive_separable(unit, **options) - exact).abs().max()
    assert (unit(**options) - exact).abs().max() < 4 * naive_error + 1e-5


@pytest.mark.parametrize("call", ["as-it-is", "activated", "skip", "enlarged"])
def test_keeps_only_its_input_and_output_for_the_backward(call: str) -> None:
    unit, _, options = setup("3d", call)
    options["x"] = torch.randn(2, 5, 8, 8, 8, dtype=torch.float64).requires_grad_()
    if "skip" in options:
        options["skip"] = torch.randn(2, 3, 8, 8, 8, dtype=torch.float64).requires_grad_()
    kept: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        out = unit(**options)
    maps = {t.data_ptr() for t in kept if t.numel() >= options["x"].numel() // 2}
    allowed = {t.data_ptr() for t in (options["x"], options.get("skip"), out) if t is not None}
    assert maps <= allowed


def test_all_but_the_pointwise_convolution_is_a_domains_own() -> None:
    unit = Separable(op_types(), 4, 6, [3] * 3, [1] * 3)
    shared = {id(p) for p in getattr(unit, unit.shared).parameters()}
    assert sum(p.numel() for p in unit.parameters() if id(p) not in shared) == 4 * 27 + 4 + 2 * 4 + 2 * 6
    assert len(shared) == 2


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("call", CALLS)
def test_half_precision_stays_finite_and_close(call: str, dtype: torch.dtype) -> None:
    unit, _, options = setup("3d", call, dtype=torch.float32)
    full = unit(**options)
    with torch.no_grad():
        options = {key: v.to(dtype) if isinstance(v, torch.Tensor) else v for key, v in options.items()}
    with torch.autocast("cpu", dtype=dtype):
        half = unit(**options)
    assert half.dtype == dtype
    assert (half.float() - full).abs().mean() < 0.05 * full.abs().mean()
    half.float().square().mean().backward()
    assert all(leaf.grad.isfinite().all() for leaf in unit.parameters())
    assert unit.pointwise.weight.grad.dtype == torch.float32


def test_statistics_of_large_half_precision_maps_do_not_overflow() -> None:
    unit, _, options = setup("3d", "as-it-is", dtype=torch.float32)
    full = unit(**options)
    with torch.autocast("cpu", dtype=torch.float16):
        half = unit((options["x"] * 2000).half())
    assert half.isfinite().all()
    assert (half.float() - full).abs().mean() < 0.05 * full.abs().mean()


@pytest.mark.parametrize("call", ["skip", "enlarged"])
def test_is_one_graph_forward_and_backward(call: str) -> None:
    unit, leaves, options = setup("3d", call)
    compiled = torch.compile(unit, fullgraph=True, backend="aot_eager")
    gradients = [torch.autograd.grad(f(**options).square().sum(), leaves) for f in (compiled, unit)]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


def test_starts_as_the_source_does() -> None:
    torch.manual_seed(0)
    unit = Separable(op_types(), 64, 64, (3, 3, 3), (1, 1, 1))
    assert unit.depthwise.weight.std().item() == pytest.approx((2 / 27) ** 0.5, rel=0.1)
    assert unit.pointwise.weight.std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.1)
    assert not unit.depthwise.bias.any()
    assert not unit.pointwise.bias.any()
    assert (unit.norm.weight == 1).all()
    assert not unit.out_norm.bias.any()


def test_even_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match="odd kernel sizes"):
        Separable(op_types(), 4, 4, (2, 3, 3), (1, 1, 1))


@pytest.mark.parametrize("pad_behind", [True, False])
def test_a_full_unit_is_convolution_and_norm_with_the_stated_padding(pad_behind: bool) -> None:
    unit = FullUnit(op_types(), 4, 6, (3, 3, 3), (1, 2, 2), pad_behind=pad_behind)
    x = torch.randn(2, 4, 4, 8, 6)
    padded = F.pad(x, (0, 1, 0, 1, 1, 1) if pad_behind else (1,) * 6)
    y = F.instance_norm(F.conv3d(padded, unit.conv.weight, unit.conv.bias, (1, 2, 2)))
    torch.testing.assert_close(unit(x), y)
    torch.testing.assert_close(unit(x, activated=True), F.leaky_relu(y))


@pytest.mark.parametrize("nonlin", [nn.LeakyReLU, nn.ReLU])
def test_norm_and_activation_of_a_channels_last_map_have_the_right_gradients(
    nonlin: type[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels_last, "CACHE_ELEMENTS", 100)
    ops = op_types(nonlin=nonlin)
    norm, activation = ops.norm(5).double(), ops.nonlin()
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(2, 5, 4, 6, 8, dtype=torch.float64, requires_grad=True)
    leaves = [x, *norm.parameters()]
    results = [norm_and_activate(x, norm, activation), activation(norm(x))]
    direction = torch.randn_like(results[1])
    gradients = [torch.autograd.grad(y, leaves, direction) for y in results]
    torch.testing.assert_close(*results)
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


def test_parity_with_the_reference_vectors() -> None:
    from tests.parity import check_file

    files = sorted((Path(__file__).parents[3] / "shared" / "reference").glob("u2net*.npz"))
    if not files:
        pytest.skip("no reference vectors beside this checkout (../shared/reference)")
    assert all(check_file(file) for file in files)


def test_a_frozen_unit_computes_the_same_bits() -> None:
    torch.manual_seed(0)
    unit = Separable(op_types(), 24, 8, (3, 3, 3), (1, 1, 1))
    x = torch.randn(2, 24, 8, 8, 8)
    with torch.no_grad():
        expected = unit(x)
        unit.requires_grad_(False)
        assert torch.equal(unit(x), expected)
