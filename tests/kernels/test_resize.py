"""Linear resizing, plain and antialiased, and the voxels it reads."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.kernels.resize import narrow_to_support, resize_linear

sizes = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 7)), min_size=2, max_size=3)


@given(sizes)
def test_a_voxelwise_function_commutes_with_narrowing(axes: list[tuple[int, int]]) -> None:
    old, new = [n * factor for n, factor in axes], [n for n, _ in axes]
    x = torch.randn(2, 3, *old, dtype=torch.float64)
    torch.testing.assert_close(resize_linear(narrow_to_support(x, new).exp(), new), resize_linear(x.exp(), new))


def test_narrowing_by_8_keeps_2_of_8_voxels_per_axis() -> None:
    assert narrow_to_support(torch.randn(1, 1, 64, 32), (8, 16)).shape == (1, 1, 16, 32)


def test_halving_is_the_mean_of_pairs_and_quartering_ignores_the_outer_two() -> None:
    x = torch.arange(8.0).square()[None, None, None].expand(1, 1, 8, 8)
    torch.testing.assert_close(resize_linear(x, (4, 4))[0, 0, 0], (x[0, 0, 0, ::2] + x[0, 0, 0, 1::2]) / 2)
    torch.testing.assert_close(resize_linear(x, (2, 2))[0, 0, 0], (x[0, 0, 0, 1::4] + x[0, 0, 0, 2::4]) / 2)


def test_the_same_size_is_returned_as_it_is() -> None:
    x = torch.randn(1, 2, 5, 4)
    assert resize_linear(x, (5, 4)) is x


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=2, max_size=3))
def test_any_size_to_any_size_is_torchs_interpolation(axes: list[tuple[int, int]]) -> None:
    x = torch.randn(2, 3, *(old for old, _ in axes), dtype=torch.float64, requires_grad=True)
    size = [new for _, new in axes]
    expected = torch.nn.functional.interpolate(x, size=size, mode="bilinear" if len(size) == 2 else "trilinear")
    ours = resize_linear(x, size)
    torch.testing.assert_close(ours, expected)
    direction = torch.randn_like(expected)
    gradients = [torch.autograd.grad(y, x, direction)[0] for y in (ours, expected) if y.requires_grad]
    torch.testing.assert_close(gradients[0], gradients[1])


def test_long_axes_are_left_to_torch_with_the_same_result() -> None:
    x = torch.randn(1, 2, 150, 4)
    expected = torch.nn.functional.interpolate(x, size=(300, 8), mode="bilinear")
    torch.testing.assert_close(resize_linear(x, (300, 8)), expected)


def antialiased_by_definition(x: torch.Tensor, axis: int, new: int) -> torch.Tensor:
    """SPEC 0.2, voxel by voxel."""
    old = x.shape[axis]
    ratio = old / new
    support = max(ratio, 1.0)
    slices = []
    for i in range(new):
        centre = (i + 0.5) * ratio
        first, end = max(0, math.floor(centre - support + 0.5)), min(old, math.floor(centre + support + 0.5))
        weights = [max(0.0, 1 - abs(j + 0.5 - centre) / support) for j in range(first, end)]
        voxels = zip(weights, x.narrow(axis, first, end - first).unbind(axis), strict=True)
        slices.append(sum(w * v for w, v in voxels) / sum(weights))
    return torch.stack(slices, axis)


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 9)), min_size=2, max_size=3))
def test_antialiased_resizing_is_its_definition(axes: list[tuple[int, int]]) -> None:
    x = torch.randn(2, 3, *(old for old, _ in axes), dtype=torch.float64)
    expected = x
    for axis, (_, new) in enumerate(axes, start=2):
        expected = antialiased_by_definition(expected, axis, new)
    torch.testing.assert_close(resize_linear(x, [new for _, new in axes], antialias=True), expected)


# From 2 voxels on: torch 2.15 resizes wrongly when the last axis has or gets one voxel.
@given(st.tuples(st.integers(2, 20), st.integers(2, 20)), st.tuples(st.integers(2, 20), st.integers(2, 20)))
def test_antialiased_resizing_in_2d_is_torchs(old: tuple[int, int], new: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *old, dtype=torch.float64, requires_grad=True)
    expected = torch.nn.functional.interpolate(x, size=new, mode="bilinear", antialias=True)
    ours = resize_linear(x, new, antialias=True)
    torch.testing.assert_close(ours, expected)
    if old != new:
        direction = torch.randn_like(expected)
        gradients = [torch.autograd.grad(y, x, direction)[0] for y in (ours, expected)]
        torch.testing.assert_close(gradients[0], gradients[1])


def test_antialiased_halving_weighs_four_voxels_in_three_dimensions() -> None:
    x = torch.zeros(1, 1, 8, 8, 8)
    x[0, 0, 3, 3, 4] = 1.0
    halved = resize_linear(x, (4, 4, 4), antialias=True)[0, 0]
    torch.testing.assert_close(halved[1, 1, 2], torch.tensor((3 / 8) ** 3))
    torch.testing.assert_close(halved[2, 1, 2], torch.tensor(1 / 8 * (3 / 8) ** 2))


def test_half_precision_stays_half_precision() -> None:
    x = torch.randn(1, 2, 8, 8, dtype=torch.bfloat16)
    assert resize_linear(x, (4, 4), antialias=True).dtype == resize_linear(x, (16, 16)).dtype == torch.bfloat16
