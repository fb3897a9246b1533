"""The balance loss reaches the gradient once, however the network is run, and never in validation."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from nnunet_skipx.architectures import UTANet
from nnunet_skipx.nnunet.wrappers import unwrap
from nnunet_skipx.skips.gates import balance_loss
from nnunet_skipx.training.balance import BalancedLoss
from tests.forking.fixture import ForkServer
from tests.plan_shapes import PlanShape

SHAPE = PlanShape((16, 16), (1, 1), 3)
WEIGHT = 0.5


def utanet() -> UTANet:
    torch.manual_seed(0)
    network = UTANet(1, 2, True, embedding=8, **SHAPE.architecture())
    network.keep_routing = True
    return network


def take_from(network: nn.Module) -> Callable:
    def take() -> object:
        routing, unwrap(network).routing = unwrap(network).routing, None
        assert routing is not None
        return routing

    return take


class Nothing(nn.Module):
    """A training loss of 0 with a graph, so that the gradient is the balance loss's alone."""

    def forward(self, output: list[torch.Tensor], target: torch.Tensor) -> torch.Tensor:
        return sum(logits.mean() for logits in output) * 0.0


def images(batch: int = 4) -> torch.Tensor:
    return torch.randn(batch, 1, 16, 16, generator=torch.Generator().manual_seed(1))


def gate_gradient(network: nn.Module, scale: float = 1.0) -> torch.Tensor:
    loss = BalancedLoss(Nothing(), take_from(network), WEIGHT)
    (loss(network(images()), torch.empty(0)) * scale).backward()
    return unwrap(network).skips.gates.weight.grad


def expected_gradient() -> torch.Tensor:
    """By hand: the features into the mechanism, its probabilities into the formula."""
    network = utanet()
    *features, _ = network.encoder(images())
    _, routing = network.skips(features)
    (WEIGHT * balance_loss(routing.probabilities.sum(0))).backward()
    return network.skips.gates.weight.grad


def test_eager_gradient_is_that_of_the_formula_times_the_weight() -> None:
    expected = expected_gradient()
    assert expected.abs().max() > 0
    torch.testing.assert_close(gate_gradient(utanet()), expected)


@pytest.mark.slow
def test_compiled_gradient_is_the_same() -> None:
    compiled = torch.compile(utanet(), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(gate_gradient(compiled), expected_gradient(), rtol=1e-4, atol=1e-7)


def test_gradscaler_scales_it_with_the_rest_of_the_loss() -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    network = utanet()
    optimizer = torch.optim.SGD(network.parameters(), 0.0)
    loss = BalancedLoss(Nothing(), take_from(network), WEIGHT)(network(images()), torch.empty(0))
    scaler.scale(loss).backward()
    torch.testing.assert_close(network.skips.gates.weight.grad, 1024 * expected_gradient(), rtol=1e-4, atol=1e-4)
    scaler.unscale_(optimizer)
    torch.testing.assert_close(network.skips.gates.weight.grad, expected_gradient(), rtol=1e-4, atol=1e-7)


def test_activation_checkpointing_of_the_mechanism_neither_doubles_it_nor_leaves_a_graph() -> None:
    network = utanet()
    mechanism = network.skips.forward
    network.skips.forward = lambda features: torch.utils.checkpoint.checkpoint(mechanism, features, use_reentrant=False)
    torch.testing.assert_close(gate_gradient(network), expected_gradient())
    assert network.routing is None


def test_a_routing_can_be_taken_once_and_a_stale_one_is_refused() -> None:
    network = utanet()
    loss = BalancedLoss(Nothing(), take_from(network), WEIGHT)
    output = network(images())
    loss(output, torch.empty(0))
    with pytest.raises(AssertionError):
        loss(output, torch.empty(0))


def test_validation_sees_nnunets_loss_alone() -> None:
    network = utanet().eval()
    loss = BalancedLoss(nn.MSELoss(), take_from(network), WEIGHT)
    with torch.no_grad():
        output = network(images())[0]
        target = torch.zeros_like(output)
        assert loss(output, target) == nn.MSELoss()(output, target)


def test_an_epoch_reports_the_mean_and_shares_that_sum_to_one_and_then_forgets() -> None:
    network = utanet()
    loss = BalancedLoss(Nothing(), take_from(network), WEIGHT)
    for _ in range(3):
        loss(network(images()), torch.empty(0))
    balance, usage = loss.take_epoch()
    assert 0 < balance < 2 * 4
    assert usage.shape == (2, 4)
    assert usage.sum(1) == pytest.approx([1, 1])
    assert not loss.balance_losses


def ddp_worker(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    network = DistributedDataParallel(utanet())
    loss = BalancedLoss(Nothing(), take_from(network), WEIGHT, ddp=True)
    mine = images()[:1] if rank == 0 else images()[1:]  # unequal shares of the batch
    loss(network(mine), torch.empty(0)).backward()
    torch.save(network.module.skips.gates.weight.grad, f"{folder}/gradient{rank}.pt")
    torch.save(loss.balance_losses[0], f"{folder}/balance{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_get_the_gradient_of_the_joined_batch(forks: ForkServer, tmp_path: Path) -> None:
    forks.run_ranks(ddp_worker, str(tmp_path))
    gradients = [torch.load(tmp_path / f"gradient{rank}.pt") for rank in range(2)]
    balances = [torch.load(tmp_path / f"balance{rank}.pt") for rank in range(2)]
    assert torch.equal(gradients[0], gradients[1])
    assert balances[0] == balances[1]
    alone = BalancedLoss(Nothing(), take_from(network := utanet()), WEIGHT)
    alone(network(images()), torch.empty(0))
    torch.testing.assert_close(balances[0], alone.balance_losses[0])
    torch.testing.assert_close(gradients[0], expected_gradient(), rtol=1e-4, atol=1e-7)
