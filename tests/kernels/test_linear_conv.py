"""A convolution over a linearly enlarged map, computed at the small size, is that convolution."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.kernels.linear_conv import conv_over_linear
from nnunet_skipx.kernels.nearest_conv import conv_same

axes = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 5), st.sampled_from((1, 3, 5))), min_size=2, max_size=3)


@given(axes)
def test_is_the_convolution_over_the_enlarged_map_with_both_gradients(axes: list[tuple[int, int, int]]) -> None:
    old, kernel = [n for n, _, _ in axes], [k for _, _, k in axes]
    size = [n + more for n, more, _ in axes]
    x = torch.randn(2, 3, *old, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 3, *kernel, dtype=torch.float64, requires_grad=True)
    enlarged = torch.nn.functional.interpolate(x, size=size, mode="bilinear" if len(size) == 2 else "trilinear")
    expected, ours = conv_same(enlarged, weight), conv_over_linear(x, weight, size)
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-10)
    direction = torch.randn_like(expected)
    for a, b in zip(*(torch.autograd.grad(y, (x, weight), direction) for y in (ours, expected)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_nothing_is_as_large_as_the_enlarged_map() -> None:
    x, weight = torch.randn(1, 64, 8, 8, 8), torch.randn(2, 64, 3, 3, 3, requires_grad=True)
    largest = 0

    def keep(y: torch.Tensor) -> torch.Tensor:
        nonlocal largest
        largest = max(largest, y.numel())
        return y

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda y: y):
        conv_over_linear(x, weight, (32, 32, 32))
    assert 0 < 8 * largest < 64 * 32**3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_rounds_a_few_times_only(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(1, 16, 4, 4), torch.randn(2, 16, 3, 3) / 12
    exact = conv_over_linear(x, weight, (16, 16))
    half = conv_over_linear(x.to(dtype), weight.to(dtype), (16, 16))
    assert half.dtype == dtype
    assert (half - exact).abs().max() < 6 * torch.finfo(dtype).eps * exact.abs().max()
