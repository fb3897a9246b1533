"""Spatial-channel attention equals its naive rendering and the source's vectors, and stays finite in half precision."""

from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.naive.msaunet import naive_attention
from nnunet_skipx.skips.spatial_channel_attention import SpatialChannelAttention, spatial_term

SIZES = {"2d": (6, 10), "3d": (4, 6, 5), "3d-flat": (1, 8, 3)}


def setup(size: tuple[int, ...], channels: int = 16) -> tuple[SpatialChannelAttention, torch.Tensor]:
    torch.manual_seed(0)
    module = SpatialChannelAttention(channels).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module, torch.randn(2, channels, *size, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("channels", [2, 16])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_equals_the_naive_rendering_with_all_gradients(size: tuple[int, ...], channels: int) -> None:
    module, x = setup(size, channels)
    direction = torch.randn_like(x)
    results = []
    for y in (module(x), naive_attention(module, x)):
        results.append([y, *torch.autograd.grad(y, [x, *module.parameters()], direction)])
    for ours, naive in zip(*results, strict=True):
        torch.testing.assert_close(ours, naive, rtol=1e-10, atol=1e-10)


def test_the_spatial_term_of_a_product_map_is_made_of_its_factors() -> None:
    a, b, c = (torch.rand(n, dtype=torch.float64) for n in (3, 4, 5))
    y = a[:, None, None] * b[:, None] * c
    expected = torch.sigmoid(y * (a.mean() * b.mean() * c.mean()) ** 2)
    torch.testing.assert_close(spatial_term(y[None, None])[0, 0], expected)
    flat = (b[:, None] * c)[None, None]
    torch.testing.assert_close(spatial_term(flat), torch.sigmoid(flat * b.mean() * c.mean()))


def test_the_spatial_term_is_added_alike_to_all_channels() -> None:
    module, x = setup((6, 10))
    with torch.no_grad():
        for branch in (module.linear, module.gate):
            branch[-1].weight.zero_()
        module.linear[-1].bias.fill_(-0.5)
        module.gate[-1].bias.zero_()  # sigmoid(0) - 0.5 = 0
    y = module(x)
    torch.testing.assert_close(y, y[:, :1].expand_as(y))
    assert y.std() > 0


def test_pooling_is_a_mean_weighted_by_position() -> None:
    module, x = setup((6, 10))
    with torch.no_grad():
        module.linear_pooling.weight.zero_()
        module.gate_pooling.weight.zero_()
        module.gate_pooling.weight[0, 3] = 1e4
    linear, gate, _ = module.pool(x)
    torch.testing.assert_close(linear, x.mean((2, 3)))
    brightest = x[:, 3].flatten(1).argmax(1)
    torch.testing.assert_close(gate, x.flatten(2)[torch.arange(2), :, brightest])


def test_every_parameter_moves_the_output() -> None:
    module, x = setup((6, 10))
    gradients = torch.autograd.grad(module(x).square().sum(), list(module.parameters()))
    assert all(g.abs().max() > 1e-6 for g in gradients)


@pytest.mark.parametrize("magnitude", [1.0, 1e2, 3e4])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_finite_at_any_magnitude(dtype: torch.dtype, magnitude: float) -> None:
    module, x = setup((16, 12))
    module = module.float()
    x = (x.detach().clamp(-2, 2) * magnitude).to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        y = module(x)
    assert y.dtype == dtype
    assert y.isfinite().all()
    y.float().sigmoid().mean().backward()
    assert all(p.grad.isfinite().all() for p in [x, *module.parameters()])


def test_float16_saturates_where_the_scale_is_beyond_its_range() -> None:
    module, x = setup((16, 12))
    module = module.float()
    with torch.no_grad():
        module.linear[-1].bias.fill_(1e6)
    x = x.detach().half()
    x[:, :, 0], x[:, :, 1], x[:, :, 2] = 0.0, 2.0, -2.0
    with torch.autocast("cpu", dtype=torch.float16):
        y = module(x)
    assert ((y[:, :, 0] > 0) & (y[:, :, 0] < 1)).all(), "the spatial term alone"
    assert (y[:, :, 1] == 65504).all()
    assert (y[:, :, 2] == -65504).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_close_to_double(dtype: torch.dtype) -> None:
    module, x = setup((128, 128))  # many positions: each weight of the softmax is tiny in float16
    x = x.detach().to(dtype).requires_grad_()
    exact = x.detach().double().requires_grad_()
    direction = torch.randn_like(exact).to(dtype)
    expected = module(exact)
    expected_gradients = torch.autograd.grad(expected, [exact, *module.parameters()], direction.double())
    module = module.float()
    with torch.autocast("cpu", dtype=dtype):
        y = module(x)
    gradients = torch.autograd.grad(y, [x, *module.parameters()], direction)
    for ours, double in zip([y, *gradients], [expected, *expected_gradients], strict=True):
        assert (ours.double() - double).abs().max() < 0.01 * double.abs().max()


def test_parity_with_the_reference_vectors() -> None:
    from tests.parity import check_file

    files = sorted((Path(__file__).parents[3] / "shared" / "reference").glob("msaunet*.npz"))
    if not files:
        pytest.skip("no reference vectors beside this checkout (../shared/reference)")
    assert all(check_file(file) for file in files)
