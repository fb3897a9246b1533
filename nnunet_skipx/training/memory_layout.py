"""Networks whose maps are channels last from end to end once they are compiled."""

import functools

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm

FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}  # by the dimensions of a map or a kernel


def lay_out_channels_last(network: nn.Module) -> None:
    """Let a network compute what it computes in channels-last order, in place.

    cuDNN convolves half precision in this order, and turns maps in another one there and back for every convolution.
    torch's own instance norm gives them back channels first, whatever it was given; written out, it keeps the order,
    and the compiler fuses it with the activation behind it. So this is for compiled networks.
    """
    for module in network.modules():
        if isinstance(module, _ConvNd) and module.weight.ndim in FORMATS:
            module.weight.data = module.weight.data.contiguous(memory_format=FORMATS[module.weight.ndim])
        elif isinstance(module, _InstanceNorm) and not module.track_running_stats:
            module.forward = functools.partial(instance_norm, module)  # type: ignore[method-assign]
    network.register_forward_pre_hook(channels_last_input)


def instance_norm(norm: _InstanceNorm, x: torch.Tensor) -> torch.Tensor:
    """The norm of `(B, C, *spatial)` in the memory order of x; statistics in at least float32."""
    voxels = tuple(range(2, x.ndim))
    variance, mean = torch.var_mean(
        x.to(torch.promote_types(x.dtype, torch.float32)), voxels, correction=0, keepdim=True
    )
    y = (x - mean) * torch.rsqrt(variance + norm.eps)
    if norm.affine:
        weight, bias = (parameter.view(-1, *[1] * len(voxels)) for parameter in (norm.weight, norm.bias))
        y = y * weight + bias
    return y.to(x.dtype)


def channels_last_input(network: nn.Module, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    """A network's input as a copy in channels-last order; with one channel `contiguous` would leave it as it is."""
    return (args[0].clone(memory_format=FORMATS[args[0].ndim]),)
