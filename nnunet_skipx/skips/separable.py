"""The separable unit of 3D U2-Net (MICCAI 2019): a domain's own adapter around a pointwise convolution to share."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.modules.instancenorm import _InstanceNorm

from nnunet_skipx.kernels.channels_last import NormActivation, channels_last
from nnunet_skipx.kernels.depthwise import depthwise
from nnunet_skipx.kernels.pointwise import conv1x1
from nnunet_skipx.kernels.separable_norm import SeparableNorm, UnitOptions, join
from nnunet_skipx.skips.blocks import BlockOps


class Separable(nn.Module):
    """`norm'(W act(norm(dw(x))))` (3D U2-Net, "separable unit").

    The domains of a universal run share W, `pointwise`. Depthwise kernel and norms are a domain's own: its adapter.
    Convolutions start Kaiming-normal (fan in, gain sqrt 2) with biases 0, norms at 1 and 0, as in the source.

    Args:
        ops: op types of the plans; the source's own are instance norm and leaky ReLU.
        channels_in, channels_out: channels of the input and of the output.
        kernel_size, stride: of the depthwise convolution, per axis.
        bias: whether the convolutions have one.

    Raises:
        ValueError: an even kernel.
    """

    shared = "pointwise"

    def __init__(
        self,
        ops: BlockOps,
        channels_in: int,
        channels_out: int,
        kernel_size: Sequence[int],
        stride: Sequence[int],
        bias: bool = True,
    ) -> None:
        super().__init__()
        if any(k % 2 == 0 for k in kernel_size):
            raise ValueError(f"a separable unit needs odd kernel sizes, got {tuple(kernel_size)}: change the plans")
        padding = [k // 2 for k in kernel_size]
        self.depthwise: Any = ops.conv_op(
            channels_in, channels_in, tuple(kernel_size), tuple(stride), padding, groups=channels_in, bias=bias
        )
        self.norm: Any = ops.norm(channels_in)
        self.pointwise: Any = ops.conv_op(channels_in, channels_out, 1, bias=bias)
        self.out_norm: Any = ops.norm(channels_out)
        self.nonlin: Any = ops.nonlin()
        self.apply(kaiming_normal)

    def forward(
        self,
        x: torch.Tensor,
        skip: torch.Tensor | None = None,
        factor: Sequence[int] | None = None,
        activated: bool = False,
    ) -> torch.Tensor:
        """`(B, channels_out, *spatial)`, channels last in memory.

        Args:
            x: `(B, C, *spatial)`.
            skip: `(B, channels_in - C, *spatial)`, concatenated behind x.
            factor: per axis; x is enlarged by it first, by nearest neighbours. Not together with a skip.
            activated: put the activation behind the unit, too.
        """
        assert skip is None or factor is None, "the source enlarges and concatenates in two steps"
        conv, point, factor = self.depthwise, self.pointwise, None if factor is None else tuple(factor)
        if not self.fits_one_function():
            y = self.nonlin(self.norm(depthwise(join(x, skip, factor), conv.weight, conv.bias, conv.stride)))
            y = self.out_norm(conv1x1(y, point.weight.flatten(1), point.bias))
            return self.nonlin(y) if activated else y
        slope = getattr(self.nonlin, "negative_slope", 0.0)
        options = UnitOptions(tuple(conv.stride), factor, slope, activated, self.norm.eps, self.out_norm.eps)
        return SeparableNorm.apply(
            x,
            skip,
            conv.weight,
            conv.bias,
            self.norm.weight,
            self.norm.bias,
            point.weight,
            point.bias,
            self.out_norm.weight,
            self.out_norm.bias,
            options,
        )

    def fits_one_function(self) -> bool:
        """Whether `SeparableNorm` covers the norms and the activation."""
        return all(are_instance_norm_and_leaky_relu(n, self.nonlin) for n in (self.norm, self.out_norm))


def norm_and_activate(x: torch.Tensor, norm: Any, nonlin: nn.Module) -> torch.Tensor:
    """`nonlin(norm(x))`, `(B, C, *spatial)`, channels last in memory."""
    if not are_instance_norm_and_leaky_relu(norm, nonlin):
        return nonlin(channels_last(norm(x)))
    return NormActivation.apply(x, norm.weight, norm.bias, norm.eps, getattr(nonlin, "negative_slope", 0.0))


def are_instance_norm_and_leaky_relu(norm: nn.Module, nonlin: nn.Module) -> bool:
    """Whether our own autograd functions compute this norm and activation."""
    own_norm = isinstance(norm, _InstanceNorm) and norm.affine and not norm.track_running_stats
    return own_norm and isinstance(nonlin, (nn.LeakyReLU, nn.ReLU))


def kaiming_normal(module: nn.Module) -> None:
    """The source's start for a convolution: Kaiming-normal (fan in, gain sqrt 2), bias 0."""
    if isinstance(module, (nn.Conv2d, nn.Conv3d)):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
