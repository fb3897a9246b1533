"""Bytes of storages, against sums by hand."""

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from nnunet_skipx.planning.storages import StorageTracker

CPU = torch.device("cpu")


def test_the_peak_of_a_hand_made_step_is_the_sum_of_its_tensors() -> None:
    size, batch = 32, 4
    square, rows = 4 * size * size, 4 * batch * size  # bytes of the weight, and of what passes through
    with FakeTensorMode(), StorageTracker(CPU) as tracker:
        with tracker.labelled("weights"):
            weight = torch.empty(size, size, requires_grad=True)
        with tracker.labelled("batch"):
            x = torch.empty(batch, size)
        with tracker.labelled("forward"):
            y = torch.sigmoid(x @ weight)
        with tracker.labelled("backward"):
            y.backward(torch.empty(batch, size))
    assert weight.grad is not None
    # At the peak: the given gradient, that of the product, and of the weight; the product itself is gone.
    assert tracker.peak == {"weights": square, "batch": rows, "forward": rows, "backward": 2 * rows + square}


def test_what_is_deleted_counts_no_more_and_views_cost_nothing() -> None:
    with FakeTensorMode(), StorageTracker(CPU) as tracker:
        first = torch.empty(1000)
        view = first[10:]
        del first
        second = torch.empty(100)
        del view
        tracker.forget_peak()
        third = torch.empty(1)
    assert sum(tracker.peak.values()) == 4 * 101
    assert len(second) + len(third) == 101


def test_allocations_are_rounded_up_to_blocks() -> None:
    with FakeTensorMode(), StorageTracker(CPU, block=512) as tracker:
        kept = torch.empty(129)
    assert tracker.peak == {"others": 1024}
    assert len(kept) == 129


def test_a_storage_may_change_its_label() -> None:
    with FakeTensorMode(), StorageTracker(CPU) as tracker:
        kept = torch.empty(10)
        tracker.relabel(kept, "gradients")
        tracker.forget_peak()
        other = torch.empty(10)
    assert tracker.peak == {"others": 40, "gradients": 40}
    assert len(other) == 10
