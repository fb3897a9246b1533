"""Embedded patches are those of the convolution, gradients included."""

import pytest
import torch
from torch import nn

from nnunet_skipx.kernels.patch_embedding import embed_patches

CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {  # spatial, patch
    "2d": ((16, 24), (8, 8)),
    "3d": ((16, 4, 8), (8, 2, 4)),
    "3d-anisotropic": ((3, 8, 16), (1, 8, 16)),
    "2d-not-divisible": ((17, 15), (5, 8)),
    "2d-convolved": ((16, 17), (4, 4)),
    "3d-not-divisible": ((5, 6, 11), (2, 3, 5)),
}


def setup(case: str, bias: bool = True) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    size, patch = CASES[case]
    conv = (nn.Conv2d, nn.Conv3d)[len(size) - 2](3, 5, kernel_size=patch, stride=patch, bias=bias).double()
    return conv, torch.randn(2, 3, *size, dtype=torch.float64)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_convolution_with_gradients(case: str, bias: bool, channels_last: bool) -> None:
    conv, x = setup(case, bias)
    if channels_last:
        x = x.contiguous(memory_format=(torch.channels_last, torch.channels_last_3d)[x.ndim - 4])
    leaves = [x.requires_grad_(), *conv.parameters()]
    ours, naive = embed_patches(x, conv), conv(x)
    torch.testing.assert_close(ours, naive, rtol=1e-10, atol=1e-10)
    direction = torch.randn_like(naive)
    gradients = [torch.autograd.grad(y, leaves, direction) for y in (ours, naive)]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_has_the_convolutions_precision_under_autocast(dtype: torch.dtype) -> None:
    conv, x = setup("2d")
    conv.float()
    with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
        ours, naive = embed_patches(x.float(), conv), conv(x.float())
    assert ours.dtype == naive.dtype == dtype
    torch.testing.assert_close(ours, naive, rtol=0.02, atol=0.02)


def test_keeps_no_copy_of_the_map_for_the_backward() -> None:
    conv, x = setup("2d")
    kept: list[torch.Tensor] = []
    x.requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        embed_patches(x, conv)
    assert all(t.data_ptr() == x.data_ptr() for t in kept if isinstance(t, torch.Tensor) and t.numel() >= x.numel())
