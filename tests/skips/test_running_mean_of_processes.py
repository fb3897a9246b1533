"""A running mean over images is that of all processes that train together, also in a compiled network."""

from pathlib import Path

import pytest
import torch
from torch import distributed

from nnunet_skipx.skips.image_level import RunningMean
from tests.forking.fixture import ForkServer

IMAGES = torch.arange(15.0).view(5, 3)
SHARES = (slice(0, 2), slice(2, 5))  # nnU-Net's batches may be of unlike size


def worker(rank: int, folder: str, compiled: bool) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    mean = RunningMean(torch.zeros(3))
    module = torch.compile(mean, fullgraph=True, backend="aot_eager") if compiled else mean
    for _ in range(2):
        module(IMAGES[SHARES[rank]])
    torch.save(mean.state_dict(), f"{folder}/rank{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.slow
def test_two_processes_keep_the_mean_of_the_joined_batch(compiled: bool, forks: ForkServer, tmp_path: Path) -> None:
    forks.run_ranks(worker, str(tmp_path), compiled)
    for rank in range(2):
        state = torch.load(tmp_path / f"rank{rank}.pt")
        torch.testing.assert_close(state["value"], IMAGES.mean(0))
        assert state["batches"] == 2
