"""torch's autocast to float16, as it works on CUDA, for fake tensors on a machine without a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.autograd.graph import _engine_run_backward
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

# The parts of torch's lists (CUDA Op-Specific Behavior) that networks and losses of this package call.
IN_HALF = {
    F.conv2d,
    F.conv3d,
    F.conv_transpose2d,
    F.conv_transpose3d,
    F.linear,
    torch.bmm,
    torch.baddbmm,
    torch.mm,
    torch.matmul,
    torch.Tensor.matmul,
    torch.Tensor.bmm,
    torch.Tensor.__matmul__,
    torch.einsum,
}
IN_SINGLE = {
    torch.softmax,
    F.softmax,
    torch.Tensor.softmax,
    torch.log_softmax,
    F.log_softmax,
    F.cross_entropy,
    F.layer_norm,
    F.binary_cross_entropy_with_logits,
    torch.rsqrt,
    torch.Tensor.rsqrt,
    torch.Tensor.square,
    torch.square,
    torch.pow,
    torch.Tensor.pow,
    torch.exp,
    torch.Tensor.exp,
    torch.log,
    torch.Tensor.log,
    torch.sum,
    torch.Tensor.sum,
    torch.prod,
    torch.Tensor.prod,
}


class Autocast(TorchFunctionMode):
    """Casts arguments as torch's own autocast does while that is enabled for CUDA; where there is no GPU, it cannot be.

    Islands of `torch.autocast("cuda", enabled=False)` are respected. Of attention torch runs the memory-efficient
    kernel, which keeps no scores.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func == torch.Tensor.is_cuda.__get__:  # type: ignore[attr-defined]  # another object each time
            return args[0].device.type == "cuda"
        if func is F.scaled_dot_product_attention:
            return self._attention(*args, **kwargs)
        if torch.is_autocast_enabled("cuda") and func in IN_HALF | IN_SINGLE:
            dtype = torch.float16 if func in IN_HALF else torch.float32
            args, kwargs = tree_map(lambda value: _cast(value, dtype), (args, kwargs))
        return func(*args, **kwargs)

    def _attention(self, q: Any, k: Any, v: Any, dropout_p: float = 0.0, scale: float | None = None) -> torch.Tensor:
        if torch.is_autocast_enabled("cuda"):
            q, k, v = (_cast(x, torch.float16) for x in (q, k, v))
        attend = torch.ops.aten._scaled_dot_product_efficient_attention
        attended: torch.Tensor = attend(q, k, v, None, True, dropout_p, False, scale=scale)[0]
        return attended


def _cast(value: Any, dtype: torch.dtype) -> Any:
    return value.to(dtype) if isinstance(value, torch.Tensor) and value.is_floating_point() else value


@contextmanager
def autocast_as_on_a_gpu() -> Iterator[None]:
    """Inside, functions on fake CUDA tensors work under `torch.autocast("cuda")`."""
    common = torch.cuda.amp.common
    before = common.amp_definitely_not_available
    common.amp_definitely_not_available = lambda: False  # autocast would turn itself off, checkpoints' too
    try:
        with Autocast():
            yield
    finally:
        common.amp_definitely_not_available = before


def run_backward(*outputs: torch.Tensor) -> None:
    """Backward from gradients of 1. torch's own would leave `Autocast`, though checkpoints compute again inside it."""
    gradients = tuple(torch.ones_like(output) for output in outputs)
    _engine_run_backward(outputs, gradients, False, False, (), allow_unreachable=True, accumulate_grad=True)
