"""The Triton kernels equal torch's grouped convolution; Triton's interpreter carries them out on the CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from nnunet_skipx.kernels import depthwise_gpu
from nnunet_skipx.kernels.channels_last import channels_last

triton = pytest.importorskip("triton", reason="there is no Triton for this system")

CASES = {  # size, kernel, stride, channels; small, because the interpreter takes a second for some hundred voxels
    "3d": ((2, 3, 3), (3, 3, 3), (1, 1, 1), 5),
    "3d-strided": ((2, 2, 4), (3, 3, 3), (2, 2, 2), 3),
    "3d-odd-size-strided": ((3, 2, 3), (3, 3, 3), (2, 1, 2), 2),
    "3d-anisotropic": ((2, 2, 4), (1, 3, 3), (1, 2, 2), 70),
    "3d-wide-kernel": ((4, 2, 3), (5, 3, 1), (1, 1, 1), 2),
    "2d": ((3, 5), (3, 3), (1, 1), 5),
    "2d-long-lines": ((2, 150), (1, 3), (1, 2), 40),
}


def parity(case: str, dtype: torch.dtype) -> None:
    """Assert that forward and both gradients agree; here TRITON_INTERPRET is set."""
    size, kernel, stride, channels = CASES[case]
    torch.manual_seed(0)
    x = channels_last(torch.randn(2, channels, *size).to(dtype))
    weight = torch.randn(channels, 1, *kernel).to(dtype)
    leaves = [t.double().requires_grad_() for t in (x, weight)]
    y = (F.conv2d, F.conv3d)[x.ndim - 4](*leaves, None, stride, [k // 2 for k in kernel], 1, channels)
    grad = channels_last(torch.randn_like(y).to(dtype))
    wanted = (y, *torch.autograd.grad(y, leaves, grad.double()))
    ours = (
        depthwise_gpu.depthwise_op(x, weight, stride),
        depthwise_gpu.input_gradient_op(grad, weight, stride, x.shape),
        depthwise_gpu.kernel_gradient_op(grad, x, kernel, stride),
    )
    assert [t.dtype for t in ours] == [dtype, dtype, torch.float32]
    tolerance = 1e-4 if dtype == torch.float32 else 2e-2
    for a, b in zip(ours, wanted, strict=True):
        torch.testing.assert_close(a.double(), b, atol=tolerance, rtol=tolerance)


@pytest.mark.slow
def test_the_kernels_equal_the_grouped_convolution_with_all_gradients() -> None:
    code = f"""
import torch
from {__name__} import CASES, parity
for case in CASES:
    parity(case, torch.float32)
parity("2d", torch.float16)
"""
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    folder = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, check=True)


@pytest.mark.parametrize("architecture", [80, 90])
@pytest.mark.parametrize("kind", ["fp16", "bf16", "fp32"])
@pytest.mark.parametrize("name", ["convolve", "convolve_back", "correlate"])
def test_the_kernels_compile_for_gpus(name: str, kind: str, architecture: int) -> None:
    kernel = getattr(depthwise_gpu.kernels(), name)
    constants = {"KD": 3, "KH": 3, "KW": 3, "TAPS": 4, "BLOCK_W": 8, "BLOCK_C": 64}
    pointers = ("*fp32" if name == "correlate" and n == 2 else f"*{kind}" for n in range(3))
    types = [*pointers, *("constexpr" if arg in constants else "i32" for arg in kernel.arg_names[3:])]
    places = {(n,): constants[arg] for n, arg in enumerate(kernel.arg_names) if arg in constants}
    source = triton.compiler.ASTSource(kernel, dict(zip(kernel.arg_names, types, strict=True)), places)
    target = triton.backends.compiler.GPUTarget("cuda", architecture, 32)
    assert triton.compile(source, target=target).asm["cubin"]


@pytest.mark.parametrize("case", CASES)
def test_the_operators_tell_shapes_and_order_of_what_they_return(case: str) -> None:
    size, kernel, stride, channels = CASES[case]
    with FakeTensorMode():
        x = channels_last(torch.empty(2, channels, *size, device="cuda", dtype=torch.float16))
        weight = torch.empty(channels, 1, *kernel, device="cuda", dtype=torch.float16)
        y = depthwise_gpu.depthwise_op(x, weight, stride)
        wanted = F.conv2d if x.ndim == 4 else F.conv3d
        assert y.shape == wanted(x, weight, None, stride, [k // 2 for k in kernel], 1, channels).shape
        grad_x = depthwise_gpu.input_gradient_op(y, weight, stride, x.shape)
        grad_weight = depthwise_gpu.kernel_gradient_op(y, x, kernel, stride)
    assert grad_x.shape == x.shape
    assert (grad_weight.shape, grad_weight.dtype) == (weight.shape, torch.float32)
    assert y.stride(1) == grad_x.stride(1) == 1


def test_without_triton_torchs_own_convolutions_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeTensorMode():
        x = torch.empty(2, 3, 4, 4, device="cuda")
    assert depthwise_gpu.has_kernels(x)
    assert not depthwise_gpu.has_kernels(x.double())
    monkeypatch.setattr(depthwise_gpu, "TRITON", False)
    assert not depthwise_gpu.has_kernels(x)
