"""The folded instance norm equals the plain one, gradients included."""

import pytest
import torch
from torch import nn

from nnunet_skipx.kernels.pointwise import conv1x1, conv1x1_norm_nonlin


def parameters(dtype: torch.dtype, mean: float = 0.0) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    x = torch.randn(2, 5, 6, 8, dtype=dtype) + mean
    values = (x, torch.randn(7, 5, dtype=dtype), torch.randn(7, dtype=dtype))
    return tuple(v.requires_grad_() for v in values)


@pytest.mark.parametrize("every", [1, 2], ids=["all voxels", "every other voxel"])
def test_folded_norm_equals_the_plain_one_with_gradients(every: int) -> None:
    x, weight, bias = parameters(torch.float64)
    norm = nn.InstanceNorm2d(7, affine=True).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    leaves = (x, weight, bias, norm.weight, norm.bias)
    plain = nn.functional.leaky_relu(norm(conv1x1(x, weight, bias))[..., ::every])
    folded = conv1x1_norm_nonlin(x, weight, bias, norm, nn.LeakyReLU(inplace=True), lambda y: y[..., ::every])
    torch.testing.assert_close(folded, plain, rtol=0, atol=1e-12)
    direction = torch.randn_like(plain)
    ours = torch.autograd.grad(folded, leaves, direction)
    expected = torch.autograd.grad(plain, leaves, direction)
    for a, b in zip(ours, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_float32_survives_a_mean_a_hundred_times_the_spread() -> None:
    x, weight, bias = parameters(torch.float32, mean=100.0)
    norm = nn.InstanceNorm2d(7, affine=True)
    folded = conv1x1_norm_nonlin(x, weight, bias, norm, nn.Identity())
    exact = norm.double()(conv1x1(x.double(), weight.double(), bias.double()))
    torch.testing.assert_close(folded.double(), exact, rtol=0, atol=1e-3)


@pytest.mark.parametrize("norm", [nn.Identity(), nn.BatchNorm2d(7), nn.InstanceNorm2d(7)])
def test_other_norms_take_the_plain_route(norm: nn.Module) -> None:
    x, weight, bias = parameters(torch.float32)
    expected = norm(conv1x1(x, weight, bias))
    torch.testing.assert_close(conv1x1_norm_nonlin(x, weight, bias, norm, nn.Identity()), expected)
