"""Gates under instance norm see what batch norm would leave them: running means, amplified deviations."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from nnunet_skipx.skips.image_level import MOMENTUM, Amplified, ImageLevel, RunningMean, normalises_each_image


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=int(1 / MOMENTUM)))
def test_the_first_batches_count_alike(sizes: list[int]) -> None:
    mean, batches = RunningMean(torch.zeros(3)).double(), [drawn(n, 3, seed=n) for n in sizes]
    for batch in batches:
        value = mean(batch)
    torch.testing.assert_close(value, torch.stack([batch.mean(0) for batch in batches]).mean(0))


def test_later_batches_count_with_the_momentum() -> None:
    mean = RunningMean(torch.zeros(1))
    for _ in range(30):
        mean(torch.zeros(2, 1))
    assert mean(torch.ones(2, 1)).item() == pytest.approx(MOMENTUM)


def test_evaluation_changes_nothing_and_does_not_look_at_the_batch() -> None:
    mean = RunningMean(torch.zeros(3))
    mean(torch.ones(2, 3))
    state = copy.deepcopy(mean.state_dict())
    assert torch.equal(mean.eval()(torch.full((2, 3), 7.0)), torch.ones(3))
    assert all(torch.equal(state[key], value) for key, value in mean.state_dict().items())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_batch_that_is_not_finite_does_not_count(bad: float) -> None:
    mean, clean = RunningMean(torch.zeros(2)), RunningMean(torch.zeros(2))
    for batch in (torch.ones(2, 2), torch.tensor([[1.0, bad], [1.0, 1.0]]), torch.full((2, 2), 3.0)):
        mean(batch)
        if batch.isfinite().all():
            clean(batch)
    assert torch.equal(mean.value, clean.value)
    assert mean.batches == 2


def test_a_gradient_may_be_asked_for_after_the_next_batch() -> None:
    module = ImageLevel(4, 2.0)
    norm, y = nn.InstanceNorm2d(4, affine=True), torch.randn(2, 4, 6, 6, requires_grad=True)
    first = module(y, norm, nn.LeakyReLU())
    module(torch.randn(2, 4, 6, 6), norm, nn.LeakyReLU())
    first.sum().backward()
    assert y.grad.isfinite().all()


def test_deviations_are_amplified_around_the_mean_over_images() -> None:
    module, pooled = Amplified(3.0, 5).double(), drawn(7, 5)
    found = module(pooled)
    torch.testing.assert_close(found.mean(0), pooled.mean(0))
    torch.testing.assert_close(found.std(0), 3 * pooled.std(0))


@pytest.mark.parametrize("shape", [(5, 4, 8, 6), (3, 4, 4, 6, 5)], ids=["2d", "3d"])
def test_without_gain_the_first_batch_is_seen_as_behind_batch_norm(shape: tuple[int, ...]) -> None:
    y = (drawn(*shape) + drawn(*shape[:2], *[1] * (len(shape) - 2), seed=1)).requires_grad_()
    norm = (nn.InstanceNorm2d, nn.InstanceNorm3d)[len(shape) - 4](4, affine=True).double()
    nn.init.normal_(norm.weight), nn.init.normal_(norm.bias)
    found = ImageLevel(4, 1.0).double()(y, norm, nn.LeakyReLU(inplace=True))
    normed = F.batch_norm(y, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)
    torch.testing.assert_close(found, F.leaky_relu(normed).flatten(2).mean(2))


def test_half_precision_maps_are_pooled_in_float32() -> None:
    y = torch.randn(2, 4, 16, 16)
    norm = nn.InstanceNorm2d(4, affine=True)
    full, half = (ImageLevel(4, 2.0)(x, norm, nn.LeakyReLU()) for x in (y, y.half()))
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, full, rtol=0, atol=5e-3)


def test_instance_and_group_norm_take_an_images_level_away_and_batch_norm_does_not() -> None:
    assert all(normalises_each_image(norm) for norm in (nn.InstanceNorm2d, nn.InstanceNorm3d, nn.GroupNorm))
    assert not any(normalises_each_image(norm) for norm in (nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, None))
