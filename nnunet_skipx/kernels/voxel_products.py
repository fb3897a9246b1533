"""Products of small matrices with maps, whose matrix gets its gradient, a sum over voxels, in pieces and in float32."""

from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nnunet_skipx.kernels.precision import in_autocast_precision
from nnunet_skipx.kernels.voxel_sums import sum_over_voxels


def multiply_voxels(matrix: torch.Tensor, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """`matrix @ x + bias`, `(B, K, P)`: matrices `(B, K, C)`, P voxels `(B, C, P)`, biases `(B, K, 1)`."""
    return ChannelsFirst.apply(matrix, in_autocast_precision(x), bias)


def multiply_rows(matrix: torch.Tensor, rows: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """`rows @ matrix.T + bias`, `(B, P, K)`: one matrix `(K, C)`, P voxels `(B, P, C)` as rows, bias `(K,)`."""
    return ChannelsLast.apply(matrix, in_autocast_precision(rows), bias)


class ChannelsFirst(torch.autograd.Function):
    """See `multiply_voxels`; in the precision of x."""

    @staticmethod
    def forward(ctx: Any, matrix: torch.Tensor, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(matrix, x)
        ctx.has_bias = bias is not None
        small = matrix.to(x.dtype)
        return torch.bmm(small, x) if bias is None else torch.baddbmm(bias.to(x.dtype), small, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        matrix, x = ctx.saved_tensors
        grad_bias = grad.sum(2, keepdim=True, dtype=matrix.dtype) if ctx.has_bias else None
        return sum_over_voxels(grad, x), torch.bmm(matrix.to(x.dtype).mT, grad), grad_bias


class ChannelsLast(torch.autograd.Function):
    """See `multiply_rows`; in the precision of the rows."""

    @staticmethod
    def forward(ctx: Any, matrix: torch.Tensor, rows: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(matrix, rows)
        ctx.has_bias = bias is not None
        return F.linear(rows, matrix.to(rows.dtype), None if bias is None else bias.to(rows.dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        matrix, rows = ctx.saved_tensors
        grad_bias = grad.sum((0, 1), dtype=matrix.dtype) if ctx.has_bias else None
        return sum_over_voxels(grad.mT, rows.mT).sum(0), grad @ matrix.to(rows.dtype), grad_bias
