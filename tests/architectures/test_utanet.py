"""UTANet keeps the contract of every network."""

import pytest
import torch

from nnunet_skipx.architectures import UTANet
from tests.contract import SMALL, NetworkContract
from tests.plan_shapes import PlanShape


class TestUTANet(NetworkContract):
    network = UTANet
    options = {"embedding": 16}


class TestUTANetTwin(NetworkContract):
    network = UTANet
    options = {"embedding": 16, "routing": "uniform"}


def test_every_option_reaches_the_mechanism() -> None:
    options = {"embedding": 8, "num_experts": 3, "top_k": 1, "hidden_rate": 5}
    skips = UTANet(1, 3, **options, **SMALL.architecture()).skips
    assert skips.gates.weight.shape == (2, 8, 3)
    assert skips.gates.top_k == 1
    assert skips.experts.expand.out_channels == 3 * 5 * 8


def test_routing_is_kept_only_when_asked_for_and_only_in_training() -> None:
    network = UTANet(1, 3, embedding=8, **SMALL.architecture())
    x = torch.randn(2, 1, *SMALL.patch)
    network(x)
    assert network.routing is None
    network.keep_routing = True
    network.eval()(x)
    assert network.routing is None
    network.train()(x)
    assert network.routing.probabilities.shape == (2, 2, 4)


@pytest.mark.slow
def test_toggling_deep_supervision_compiles_at_most_once_more_and_stays_right() -> None:
    network = UTANet(1, 3, True, embedding=8, **PlanShape((16, 16), (1, 1), 3).architecture()).eval()
    x = torch.randn(1, 1, 16, 16)
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(network, backend=counter, fullgraph=True)
    for deep in (True, False, True, False):
        network.decoder.deep_supervision = deep
        torch.testing.assert_close(compiled(x), network(x), rtol=1e-4, atol=1e-5)
    assert counter.frame_count == 2
