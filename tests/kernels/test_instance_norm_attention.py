"""Attention with instance-normed scores equals its definition, and drops what it should."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from nnunet_skipx.kernels.instance_norm_attention import (
    attend_and_drop,
    channel_attention,
    draw,
    spatial_attention,
)


@pytest.mark.parametrize("attention", [channel_attention, spatial_attention])
def test_scaling_all_scores_changes_nothing(attention: Any) -> None:
    q, k, v = (torch.randn(2, 3, 4, 6, 5, dtype=torch.float64) for _ in range(3))
    if attention is channel_attention:
        q, k, v = q[0, 0], k[0, 0], v[0, 0]
    else:
        k, v = k[0], v[0]
    torch.testing.assert_close(attention(1e3 * q, k, v), attention(1e5 * q, k, v), rtol=1e-7, atol=1e-9)


def test_permuting_keys_and_values_changes_nothing() -> None:
    q, k, v = torch.randn(2, 3, 4, 6, 5), torch.randn(3, 4, 7, 5), torch.randn(3, 4, 7, 5)
    order = torch.randperm(7)
    torch.testing.assert_close(spatial_attention(q, k[:, :, order], v[:, :, order]), spatial_attention(q, k, v))


def test_scores_far_from_zero_are_normed_as_exactly_as_others() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 1, 2, n, 8, dtype=torch.float64) for n in (12, 20, 20))
    q, k = q + 30, k - 50  # mean of the scores -12000, their deviation about 400
    exact = F.instance_norm(q[0] @ k[0].mT).softmax(-1) @ v[0]
    torch.testing.assert_close(spatial_attention(q, k[0], v[0])[0], exact, rtol=1e-9, atol=1e-9)
    single = spatial_attention(q.float(), k[0].float(), v[0].float())[0]
    torch.testing.assert_close(single.double(), exact, rtol=1e-3, atol=1e-3)


def test_identical_scores_give_the_mean_value_and_finite_gradients() -> None:
    q, k, v = torch.zeros(1, 1, 1, 4, 2), torch.ones(1, 1, 6, 2), torch.randn(1, 1, 6, 2)
    leaves = [x.requires_grad_() for x in (q, k, v)]
    context = spatial_attention(q, k, v)
    torch.testing.assert_close(context[0], v.mean(2, keepdim=True).expand(1, 1, 4, 2))
    assert all(g.isfinite().all() for g in torch.autograd.grad(context.sum(), leaves))


def test_what_is_dropped_has_the_right_share_everywhere() -> None:
    torch.manual_seed(0)
    for probability in (0.1, 0.5):
        dropped = draw((5, 4001, 3), probability, torch.device("cpu"))
        assert dropped.shape == (5, 4001, 3)
        share = torch.full((3,), probability, dtype=torch.float64)
        torch.testing.assert_close(dropped.double().mean((0, 1)), share, rtol=0, atol=0.012)
        flat = dropped.flatten().double() - probability
        assert (flat[1:] * flat[:-1]).mean().abs() < 0.006  # neighbours come from one number, yet are independent
    assert not draw((10**6,), 0.0, torch.device("cpu")).any()


def test_dropped_weights_stay_dropped_in_the_backward() -> None:
    q, k, v = (torch.randn(1, 2, n, 8, dtype=torch.float64, requires_grad=True) for n in (4, 6, 6))
    torch.manual_seed(1)
    ours = attend_and_drop(q, k, v, 0.3)
    torch.manual_seed(1)
    kept = (~draw((1, 2, 4, 6), 0.3, q.device)).double()
    expected = ((q @ k.mT).softmax(-1) * kept / 0.7) @ v
    torch.testing.assert_close(ours, expected)
    for a, b in zip(
        torch.autograd.grad(ours.square().sum(), (q, k, v)),
        torch.autograd.grad(expected.square().sum(), (q, k, v)),
        strict=True,
    ):
        torch.testing.assert_close(a, b)
