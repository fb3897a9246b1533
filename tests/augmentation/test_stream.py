"""The augmentation's own CUDA stream. Without a GPU only its absence elsewhere can be seen."""

import pytest
import torch

from nnunet_skipx.augmentation.stream import SideStream

HAS_GPU = torch.cuda.is_available()


def test_on_a_cpu_the_work_is_called_and_that_is_all() -> None:
    side = SideStream(torch.device("cpu"))
    assert side.stream is None
    x = torch.ones(2)
    assert side.run(lambda *both: both, x, [x]) == (x, [x])


@pytest.mark.skipif(not HAS_GPU, reason="needs a GPU")
def test_work_on_the_side_is_finished_before_the_current_stream_reads_it() -> None:
    device = torch.device("cuda")
    side, numbers = SideStream(device), torch.arange(1000.0).pin_memory()

    def slow(x: torch.Tensor) -> torch.Tensor:
        torch.cuda._sleep(10**7)
        return x.to(device, non_blocking=True) + 1

    sums = [side.run(slow, numbers).sum() for _ in range(20)]
    assert {float(found) for found in sums} == {float((numbers + 1).sum())}


@pytest.mark.skipif(not HAS_GPU, reason="needs a GPU")
def test_the_side_is_one_call_ahead_and_no_more() -> None:
    side = SideStream(torch.device("cuda"))
    events = []
    for _ in range(2):
        side.run(lambda: torch.zeros(1, device="cuda"))
        torch.cuda._sleep(10**9)
        events.append(torch.cuda.current_stream().record_event())
    side.run(lambda: torch.zeros(1, device="cuda"))
    assert side.stream is not None
    side.stream.synchronize()
    assert events[0].query()
    assert not events[1].query()
