"""Linear resizing without antialiasing, and the voxels it reads."""
import torch
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.skips.resize import narrow_to_support, resize_linear

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
