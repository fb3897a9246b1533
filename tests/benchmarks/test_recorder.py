"""Bytes, operations and launches of single operations, by hand."""

from collections.abc import Callable

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from benchmarks.recorder import CUDA, Recorder
from nnunet_skipx.planning.half_precision import run_backward

MAP = 2 * 3 * 8 * 8 * 2  # bytes
KERNEL, VECTOR = 3 * 3 * 9 * 2, 3 * 2


def record(compute: Callable[[torch.Tensor], object], full: int = 2 * 3 * 8 * 8) -> Recorder:
    """What `compute` does to a float16 map `(2, 3, 8, 8)`."""
    with FakeTensorMode(), Recorder(full) as recorder:
        x = torch.empty(2, 3, 8, 8, dtype=torch.float16, device=CUDA)
        recorder.forget()
        compute(x)
    return recorder


@pytest.mark.parametrize(
    ("compute", "moved"),
    [
        (lambda x: x + x, 3 * MAP),
        (lambda x: x.mul_(2), 2 * MAP),
        (lambda x: x.float(), 3 * MAP),
        (lambda x: x.zero_(), MAP),
        (lambda x: torch.zeros_like(x), MAP),
        (lambda x: torch.empty_like(x).copy_(x), 2 * MAP),
        (lambda x: torch.mul(x, x, out=torch.empty_like(x)), 3 * MAP),
        (lambda x: x[:, :1].neg(), 2 * MAP // 3),
        (lambda x: x[:1].expand(2, -1, -1, -1).neg(), MAP // 2 + MAP),
        (lambda x: torch.cat([x, x], 1), 4 * MAP),
        (lambda x: x.flatten(2).mT.unflatten(1, (8, 8)).detach(), 0),
        (lambda x: F.conv2d(x, x.new_empty(3, 3, 3, 3), x.new_empty(3), padding=1), 2 * MAP + KERNEL + VECTOR),
    ],
)
def test_bytes(compute: Callable[[torch.Tensor], object], moved: int) -> None:
    assert record(compute).bytes.total() == moved


def test_a_convolution_backward_reads_the_gradient_for_each_of_its_results() -> None:
    def compute(x: torch.Tensor) -> None:
        weight, bias = (x.new_empty(shape).requires_grad_() for shape in ((3, 3, 3, 3), (3,)))
        run_backward(F.conv2d(x.requires_grad_(), weight, bias, padding=1))

    results = MAP + KERNEL + VECTOR
    assert record(compute).bytes["convolution_backward"] == 3 * MAP + KERNEL + MAP + results


@pytest.mark.parametrize(
    ("compute", "operations"),
    [
        (lambda x: x @ x, {"half": 2 * 6 * 8 * 8 * 8}),
        (lambda x: x.float() @ x.float(), {"single": 2 * 6 * 8 * 8 * 8}),
        (lambda x: convolve_and_back(x, 3, 1), {"half": 3 * 2 * 2 * 64 * 9 * 3 * 3}),
        (lambda x: convolve_and_back(x.float(), 3, 1), {"tf32": 3 * 2 * 2 * 64 * 9 * 3 * 3}),
        (lambda x: convolve_and_back(x, 1, 3), {"single": 3 * 2 * 2 * 64 * 9 * 3}),
    ],
)
def test_operations(compute: Callable[[torch.Tensor], object], operations: dict[str, int]) -> None:
    assert dict(+record(compute).operations) == operations


def convolve_and_back(x: torch.Tensor, channels: int, groups: int) -> None:
    """A convolution with kernel 3 and its backward."""
    weight = x.new_empty(3, channels, 3, 3).requires_grad_()
    run_backward(F.conv2d(x.detach().requires_grad_(), weight, padding=1, groups=groups))


def test_transposed_convolutions_multiply_each_voxel_of_the_small_map_with_the_whole_kernel() -> None:
    step = record(lambda x: F.conv_transpose2d(x, x.new_empty(3, 5, 2, 2), stride=2))
    assert dict(+step.operations) == {"half": 2 * 2 * 64 * 3 * 5 * 4}


def test_new_float32_maps_are_noted_and_neither_views_nor_small_ones() -> None:
    step = record(lambda x: x.float().add_(1).flatten().view(2, 3, 64).mean(2))
    assert step.wide.total() == 1
    assert step.launches == {"_to_copy": 1, "add_": 1, "mean": 1}
