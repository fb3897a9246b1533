"""Our depthwise convolution and both of its backwards equal torch's grouped convolution."""

import pytest
import torch
from torch.nn import functional as F

from nnunet_skipx.kernels.channels_last import channels_last
from nnunet_skipx.kernels.depthwise import depthwise, fast_backward, stock_backward

CASES = {  # size, kernel, stride
    "3d": ((6, 8, 5), (3, 3, 3), (1, 1, 1)),
    "3d-strided": ((6, 8, 4), (3, 3, 3), (2, 2, 2)),
    "3d-odd-size-strided": ((5, 7, 9), (3, 3, 3), (2, 1, 2)),
    "3d-anisotropic": ((6, 8, 8), (1, 3, 3), (1, 2, 2)),
    "3d-one-plane": ((1, 6, 7), (3, 3, 3), (1, 1, 1)),
    "3d-wide-kernel": ((7, 8, 6), (5, 3, 1), (1, 1, 1)),
    "2d": ((9, 8), (3, 3), (1, 1)),
    "2d-strided": ((8, 10), (3, 3), (2, 2)),
    "2d-anisotropic": ((8, 10), (1, 3), (1, 2)),
}
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4}


def tensors(case: str, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    size, kernel, _ = CASES[case]
    shapes = ((2, 5, *size), (5, 1, *kernel), (5,))
    return tuple(torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes)


def grouped(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: tuple[int, ...]) -> torch.Tensor:
    padding = [k // 2 for k in weight.shape[2:]]
    return (F.conv2d, F.conv3d)[x.ndim - 4](x, weight, bias, stride, padding, 1, len(weight))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_grouped_convolution_with_all_gradients(case: str, dtype: torch.dtype) -> None:
    leaves, stride = tensors(case, dtype), CASES[case][2]
    ours, stock = depthwise(*leaves, stride), grouped(*leaves, stride)
    assert ours.dtype == dtype
    torch.testing.assert_close(ours, stock, rtol=0, atol=TOLERANCE[dtype])
    direction = torch.randn_like(stock)
    gradients = [torch.autograd.grad(y, leaves, direction) for y in (ours, stock)]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("backward", [fast_backward, stock_backward])
@pytest.mark.parametrize("factor", [(1, 1, 1), (2, 2, 2), (1, 2, 2), (1, 3, 2)])
@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 3)])
def test_both_backwards_reach_the_map_before_an_enlargement(
    backward: object, factor: tuple[int, ...], kernel: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    small = torch.randn(2, 3, 4, 3, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 1, *kernel, dtype=torch.float64, requires_grad=True)
    enlarged = F.interpolate(small, scale_factor=factor, mode="nearest")
    y = grouped(enlarged, weight, None, (1, 1, 1))
    direction = torch.randn_like(y)
    ours = backward(direction, enlarged.detach(), weight.detach(), (1, 1, 1), factor)
    for a, b in zip(ours, torch.autograd.grad(y, (small, weight), direction), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_under_autocast_it_computes_in_half_precision(dtype: torch.dtype) -> None:
    x, weight, bias = tensors("3d", torch.float32)
    with torch.autocast("cpu", dtype=dtype):
        y = depthwise(x, weight, bias, (1, 1, 1))
    assert y.dtype == dtype
    torch.testing.assert_close(y.float(), grouped(x, weight, bias, (1, 1, 1)), rtol=0.05, atol=0.1)
    y.float().square().mean().backward()
    assert weight.grad.dtype == torch.float32
    assert weight.grad.isfinite().all()


@pytest.mark.parametrize("case", ["3d", "3d-strided", "2d"])
def test_is_one_graph_forward_and_backward(case: str) -> None:
    leaves, stride = tensors(case), CASES[case][2]
    compiled = torch.compile(depthwise, fullgraph=True, backend="aot_eager")
    gradients = [torch.autograd.grad(f(*leaves, stride).square().sum(), leaves) for f in (compiled, depthwise)]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


def test_the_output_keeps_the_channels_next_to_each_other() -> None:
    x, weight, _ = tensors("3d")
    assert depthwise(x, weight, None, (1, 1, 1)).stride(1) == 1
    assert channels_last(x).stride(1) == 1
