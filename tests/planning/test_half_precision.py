"""Autocast as on a GPU, on fake tensors."""

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from nnunet_skipx.planning.half_precision import autocast_as_on_a_gpu, run_backward
from nnunet_skipx.planning.storages import StorageTracker

CUDA = torch.device("cuda")


def test_types_are_those_of_torchs_lists_and_islands_stay_single() -> None:
    with FakeTensorMode(), StorageTracker(CUDA), autocast_as_on_a_gpu(), torch.autocast("cuda"):
        x = torch.empty(1, 4, 8, 8, device="cuda")
        y = F.conv2d(x, torch.empty(4, 4, 3, 3, device="cuda"))
        assert y.is_cuda
        assert y.dtype == (y.flatten(2) @ y.flatten(2).mT).dtype == F.leaky_relu(y).dtype == torch.float16
        assert torch.softmax(y, 1).dtype == y.sum().dtype == torch.float32
        assert torch.cat([y, y.float()], 1).dtype == torch.float32
        with torch.autocast("cuda", enabled=False):
            assert F.linear(x, torch.empty(8, 8, device="cuda")).dtype == torch.float32


def test_outside_of_autocast_nothing_is_cast() -> None:
    before = torch.cuda.amp.common.amp_definitely_not_available
    with FakeTensorMode(), StorageTracker(CUDA), autocast_as_on_a_gpu():
        x = torch.empty(8, 8, device="cuda")
        assert (x @ x).dtype == torch.float32
    assert torch.cuda.amp.common.amp_definitely_not_available is before


def test_attention_keeps_no_scores() -> None:
    tokens = 4096
    with FakeTensorMode(), StorageTracker(CUDA) as tracker, autocast_as_on_a_gpu():
        q = torch.empty(1, 1, tokens, 32, device="cuda", requires_grad=True)
        run_backward(F.scaled_dot_product_attention(q, q, q, dropout_p=0.1, scale=1.0).sum())
    assert sum(tracker.peak.values()) < tokens * tokens
