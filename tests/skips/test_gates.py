"""The gates' routing and the balance loss."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.skips.gates import Gates, MixtureOptions, balance_loss


def test_weights_are_a_second_softmax_over_the_top_probabilities() -> None:
    gates = Gates(3, MixtureOptions(embedding=8, num_experts=4, top_k=2))
    routing = gates(torch.randn(5, 8))
    torch.testing.assert_close(routing.probabilities.sum(-1), torch.ones(5, 3))
    best = routing.probabilities.sort(-1, descending=True).values[..., :2]
    torch.testing.assert_close(routing.weights, torch.softmax(best, -1))
    mixing = routing.mixing_weights()
    torch.testing.assert_close(mixing.sum(-1), torch.ones(5, 3))
    assert ((mixing > 0).sum(-1) == 2).all()
    assert torch.equal(mixing > 0, routing.selected() > 0)


@pytest.mark.parametrize("top_k", [0, 5])
def test_an_impossible_top_k_is_refused(top_k: int) -> None:
    with pytest.raises(ValueError, match="top_k"):
        MixtureOptions(num_experts=4, top_k=top_k)


@given(st.integers(2, 8), st.integers(1, 6), st.integers(1, 9))
def test_balance_loss_is_0_for_even_usage_and_N_per_gate_for_a_single_expert(n: int, gates: int, batch: int) -> None:
    even = torch.full((gates, n), batch / n, dtype=torch.float64)
    one = torch.zeros(gates, n, dtype=torch.float64)
    one[:, 0] = batch
    assert abs(float(balance_loss(even))) < 1e-9
    assert abs(float(balance_loss(one)) - gates * n) < 1e-6


def test_balance_loss_is_the_written_formula() -> None:
    usage = torch.rand(4, 4, dtype=torch.float64)
    written = sum(((u - u.mean()) ** 2).sum() / 3 / (u.mean() ** 2 + 1e-10) for u in usage)
    torch.testing.assert_close(balance_loss(usage), written)


def test_a_single_expert_cannot_be_out_of_balance() -> None:
    usage = torch.rand(4, 1, requires_grad=True)
    balance_loss(usage).backward()
    assert float(balance_loss(usage).detach()) == 0
