"""The cross-over as its definition reads: everything concatenated at the decoder stage's size, one convolution.

Takes the parameters of our `CrossOver` and the weight and bias of the stage's stock convolution. The oracle of the
equality tests and the yardstick of the cost benchmark.
"""

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from nnunet_skipx.skips.cross_over import CrossOver


def naive_cross_over(
    module: CrossOver,
    stock_weight: torch.Tensor,
    stock_bias: torch.Tensor | None,
    u: torch.Tensor,
    maps: Sequence[torch.Tensor],
) -> torch.Tensor:
    """The first convolution of the decoder stage over `[u, N(x0), ..., N(xL)]`, `(B, C_out, *spatial of u)`."""
    z = torch.cat([u, *(nearest(x, u.shape[2:]) for x in maps)], 1)
    if module.attention is not None:
        attention = module.attention
        hidden = torch.relu(z.flatten(2).mean(2) @ attention.squeeze.weight.T)
        weights = torch.sigmoid(hidden @ attention.excite.weight.T)
        z = z * weights.view(*weights.shape, *[1] * (z.ndim - 2))
    convolution = F.conv3d if z.ndim == 5 else F.conv2d
    weight = joined_weight(module, stock_weight)
    return convolution(z, weight, stock_bias, padding=tuple(k // 2 for k in weight.shape[2:]))


def joined_weight(module: CrossOver, stock_weight: torch.Tensor) -> torch.Tensor:
    """The weight over the whole concatenation: of u, of the finer maps, of the own skip, of the deeper maps."""
    own_channels = module.channels[module.stage]
    u, own = stock_weight.split([stock_weight.shape[1] - own_channels, own_channels], 1)
    finer = sum(module.channels[: module.stage])
    return torch.cat([u, module.weight[:, :finer], own, module.weight[:, finer:]], 1)


def nearest(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Voxel i of the output copies voxel floor(i * old / new), per axis."""
    if all(max(n, m) % min(n, m) == 0 for n, m in zip(x.shape[2:], size, strict=True)):
        return F.interpolate(x, size=tuple(size), mode="nearest")
    for axis, new in enumerate(size, start=2):
        x = x.index_select(axis, torch.tensor([i * x.shape[axis] // new for i in range(new)], device=x.device))
    return x
