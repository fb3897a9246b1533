"""Residual adapters equal their definitions, start as the identity, and leave the shared convolution alone."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nnunet_skipx.skips.full_unit import FullUnit
from nnunet_skipx.skips.residual_adapters import ParallelUnit, SeriesUnit
from tests.skips.test_separable import op_types

CASES = {
    "3d": (3, (3, 3, 3), (1, 1, 1)),
    "anisotropic-strided": (3, (1, 3, 3), (1, 2, 2)),
    "2d-strided": (2, (3, 3), (2, 2)),
}
UNITS = [SeriesUnit, ParallelUnit]
Unit = SeriesUnit | ParallelUnit


def setup(case: str, unit_type: type[Unit]) -> tuple[Unit, torch.Tensor]:
    torch.manual_seed(0)
    dim, kernel, stride = CASES[case]
    unit = unit_type(op_types(dim), 4, 6, kernel, stride).double()
    return unit, torch.randn(2, 4, *(8, 6, 10)[:dim], dtype=torch.float64, requires_grad=True)


def naive(unit: Unit, x: torch.Tensor) -> torch.Tensor:
    """The definitions, with two convolutions each."""
    convolution = (F.conv2d, F.conv3d)[x.ndim - 4]
    y = convolution(x, unit.conv.weight, unit.conv.bias, unit.stride, [k // 2 for k in unit.conv.kernel_size])
    if isinstance(unit, SeriesUnit):
        return unit.norm(y + unit.adapter(unit.adapter_norm(y)))
    return unit.norm(y + convolution(x, unit.adapter.weight, None, unit.stride))


@pytest.mark.parametrize("unit_type", UNITS)
@pytest.mark.parametrize("case", CASES)
def test_equals_the_definition_with_all_gradients(case: str, unit_type: type[Unit]) -> None:
    unit, x = setup(case, unit_type)
    for parameter in unit.parameters():
        nn.init.normal_(parameter)
    ours, expected = unit(x), naive(unit, x)
    torch.testing.assert_close(ours, expected)
    leaves = [x, *unit.parameters()]
    direction = torch.randn_like(expected)
    for a, b in zip(*(torch.autograd.grad(y, leaves, direction) for y in (ours, expected)), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("unit_type", UNITS)
def test_starts_without_an_adapter(unit_type: type[Unit]) -> None:
    unit, x = setup("3d", unit_type)
    plain = FullUnit(op_types(), 4, 6, (3, 3, 3), (1, 1, 1)).double()
    plain.load_state_dict(unit.state_dict(), strict=False)
    torch.testing.assert_close(unit(x), plain(x))
    before = unit(x).detach()
    nn.init.normal_(unit.adapter.weight)
    assert not torch.allclose(unit(x), before)


def test_an_even_kernel_has_no_middle_to_add_to() -> None:
    with pytest.raises(ValueError, match="odd kernel sizes"):
        ParallelUnit(op_types(), 4, 4, (2, 3, 3), (1, 1, 1))
