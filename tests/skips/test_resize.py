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
