"""Summed heads equal one head over the concatenation of all enlarged maps."""

import pytest
import torch
from torch import nn

from benchmarks.naive.msaunet import naive_head
from nnunet_skipx.skips.summed_heads import sum_enlarged

PYRAMIDS = {
    "2d": [(2, 3), (4, 6), (8, 12), (16, 24)],
    "3d": [(2, 2, 3), (4, 4, 6), (8, 8, 12)],
    "3d-anisotropic": [(5, 3, 2), (5, 6, 4), (10, 12, 8)],
    "2d-not-divisible": [(2, 3), (3, 6), (5, 11)],
    "2d-same-size": [(3, 4), (3, 4), (6, 8)],
}


@pytest.mark.parametrize("sizes", PYRAMIDS.values(), ids=PYRAMIDS.keys())
def test_equals_the_naive_head_with_all_gradients(sizes: list[tuple[int, ...]]) -> None:
    torch.manual_seed(0)
    conv = (nn.Conv2d, nn.Conv3d)[len(sizes[0]) - 2]
    widths = [12, 8, 4, 2][: len(sizes)]
    heads = [conv(c, 3, 1, bias=k > 0).double() for k, c in enumerate(widths)]
    maps = [torch.randn(2, c, *n, dtype=torch.float64, requires_grad=True) for c, n in zip(widths, sizes, strict=True)]
    leaves = [*maps, *(p for head in heads for p in head.parameters())]
    direction = torch.randn(2, 3, *sizes[-1], dtype=torch.float64)
    results = []
    for logits in (sum_enlarged([head(x) for head, x in zip(heads, maps, strict=True)]), naive_head(heads, maps)):
        results.append([logits, *torch.autograd.grad(logits, leaves, direction)])
    for ours, naive in zip(*results, strict=True):
        torch.testing.assert_close(ours, naive, rtol=1e-10, atol=1e-10)


def test_constant_logits_add_up() -> None:
    logits = [torch.full((1, 2, n, n), float(n)) for n in (2, 4, 8)]
    torch.testing.assert_close(sum_enlarged(logits), torch.full((1, 2, 8, 8), 14.0))


def test_the_logits_given_stay_as_they_are() -> None:
    logits = [torch.randn(1, 2, n, n) for n in (2, 4, 8)]
    before = [x.clone() for x in logits]
    sum_enlarged(logits)
    for x, y in zip(logits, before, strict=True):
        torch.testing.assert_close(x, y)
