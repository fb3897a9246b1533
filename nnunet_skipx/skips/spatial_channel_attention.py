"""Spatial-channel attention of MSA-UNet: two channel branches behind attention pooling, and a spatial term."""

import functools
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from nnunet_skipx.kernels.precision import at_least_float32, without_autocast
from nnunet_skipx.kernels.voxel_sums import sum_over_voxels
from nnunet_skipx.skips.image_level import Amplified
from nnunet_skipx.skips.per_image import PerImage

HALF_MAX = torch.finfo(torch.float16).max


class SpatialChannelAttention(nn.Module):
    """`Att(x) = t + (c2 + c1) x` with channel weights c1, c2 and a spatial term t (MSA-UNet, attention).

    c1 and c2 are made from maps pooled with a softmax over all positions; t is the sigmoid of the product of the means
    of one map along each axis, two factors in 2D, three in 3D. It is added, the same for all channels.

    Starts as the source does, at torch's defaults (its 1x1 convolutions start like linear maps). The biases ahead of
    the two softmaxes, which cancel, are left out. All of it but the last product is in at least float32.

    Args:
        channels: channels C of the map; hidden widths are C/8 and C/16 (at least 1), 8C and 16C.
        gain: how far deviations of the pooled maps from their mean over images are amplified, see `image_level`; 1
            where the map's norm leaves them as batch norm does.
    """

    def __init__(self, channels: int, gain: float = 1.0) -> None:
        super().__init__()
        self.spatial = nn.Linear(channels, 1)
        self.linear_pooling = nn.Linear(channels, 1, bias=False)
        self.linear = hourglass(channels, max(1, channels // 8), max(1, channels // 16))
        self.gate_pooling = nn.Linear(channels, 1, bias=False)
        self.gate = hourglass(channels, 8 * channels, 16 * channels)
        self.amplified = nn.Identity() if gain == 1.0 else Amplified(gain, 2, channels)
        self.chosen = PerImage()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """A map like `x`, `(B, channels, *spatial)`; float16 saturates at its largest number instead of overflowing."""
        scale, shift = self.scale_and_shift(x)
        return ScaleAndShift.apply(x, scale, shift)

    @without_autocast
    def scale_and_shift(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """`c2 + c1`, `(B, C)`, and t, `(B, 1, *spatial)`, in at least float32."""
        pooled_linear, pooled_gate, y = self.pool(x)
        scale = torch.sigmoid(self.gate(pooled_gate)) + self.linear(pooled_linear)
        return self.chosen(scale), spatial_term(y)

    def pool(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Both attention poolings, `(B, C)` each, and the map of the spatial term, `(B, 1, *spatial)`."""
        weight = torch.cat([self.linear_pooling.weight, self.gate_pooling.weight, self.spatial.weight])
        pooled, y = PooledMaps.apply(x, weight)
        linear, gate = self.amplified(pooled).unbind(1)
        return linear, gate, y + self.spatial.bias


def hourglass(channels: int, hidden: int, innermost: int) -> nn.Sequential:
    """Linear maps to `hidden`, `innermost`, `hidden` and back to `channels`, with a ReLU in the middle only."""
    return nn.Sequential(
        nn.Linear(channels, hidden),
        nn.Linear(hidden, innermost),
        nn.ReLU(),
        nn.Linear(innermost, hidden),
        nn.Linear(hidden, channels),
    )


def spatial_term(y: torch.Tensor) -> torch.Tensor:
    """Sigmoid of the product of the means of `y`, `(B, 1, *spatial)`, that vary along one axis each."""
    axes = range(2, y.ndim)
    means = [y.mean([other for other in axes if other != axis], keepdim=True) for axis in axes]
    return torch.sigmoid(functools.reduce(torch.mul, means))  # as large as the map with the last factor only


class PooledMaps(torch.autograd.Function):
    """Attention poolings `(B, K, C)` of x `(B, C, *spatial)` and a further map `(B, 1, *spatial)`, in at least float32.

    `weight` `(K + 1, C)` makes K maps of scores, whose softmax over all positions weighs x, and the further map. A
    function of its own because autograd would keep a float32 copy of x, and add up a full-resolution gradient per use.
    """

    @staticmethod
    @without_autocast
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values = at_least_float32(x).flatten(2)
        maps = torch.bmm(weight.expand(len(x), -1, -1), values)  # `weight @ values` would copy the values
        attention = torch.softmax(maps[:, :-1], 2)
        ctx.save_for_backward(x, weight, attention)
        return sum_over_voxels(attention, values), maps[:, -1:].unflatten(2, x.shape[2:])

    @staticmethod
    @once_differentiable
    @without_autocast
    def backward(ctx: Any, grad_pooled: torch.Tensor, grad_y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, weight, attention = ctx.saved_tensors
        values = at_least_float32(x).flatten(2)
        weighted = attention * torch.bmm(grad_pooled, values)
        grad_scores = weighted - attention * weighted.sum(2, keepdim=True)
        grad_maps = torch.cat([grad_scores, grad_y.flatten(2)], 1)
        grad_weight = sum_over_voxels(grad_maps, values).sum(0)
        directions = torch.cat([weight.mT.expand(len(x), -1, -1), grad_pooled.mT], 2)
        grad_x = torch.bmm(directions, torch.cat([grad_maps, attention], 1))
        return grad_x.view_as(x).to(x.dtype), grad_weight


class ScaleAndShift(torch.autograd.Function):
    """`shift + scale x` of x `(B, C, *spatial)`, scale `(B, C)`, shift `(B, 1, *spatial)`, in the precision of x.

    A function of its own because autograd would store a full-resolution product for the gradient of `scale`, and
    because float16 has to saturate: the scale grows with x, so their product leaves its range first.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, scale)
        y = torch.addcmul(shift.to(x.dtype), per_channel(scale, x), x)
        return y.clamp_(-HALF_MAX, HALF_MAX) if x.dtype == torch.float16 else y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x, scale = ctx.saved_tensors
        grad_scale = (at_least_float32(grad) * x).flatten(2).sum(2)
        return grad * per_channel(scale, x), grad_scale, grad.sum(1, keepdim=True, dtype=scale.dtype)


def per_channel(scale: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """`scale`, `(B, C)`, shaped to multiply x, in its precision and finite there."""
    largest = torch.finfo(x.dtype).max
    return scale.clamp(-largest, largest).to(x.dtype).view(*scale.shape, *[1] * (x.ndim - 2))
