"""The separable unit of 3D U2-Net as its definition reads: five layers, explicit enlargement, explicit concatenation.

Takes the parameters of our `Separable`. The oracle of the equality tests and the yardstick of the cost benchmark.
"""

from collections.abc import Sequence

import torch

from nnunet_skipx.skips.separable import Separable


def naive_separable(
    module: Separable,
    x: torch.Tensor,
    skip: torch.Tensor | None = None,
    factor: Sequence[int] | None = None,
    activated: bool = False,
) -> torch.Tensor:
    """`module(x, skip, factor, activated)` the long way; maps are `(B, C, *spatial)`."""
    if factor is not None:
        x = enlarge(x, factor)
    if skip is not None:
        x = torch.cat([x, skip], 1)
    z = module.nonlin(module.norm(module.depthwise(x)))
    y = module.out_norm(module.pointwise(z))
    return module.nonlin(y) if activated else y


def enlarge(x: torch.Tensor, factor: Sequence[int]) -> torch.Tensor:
    """Nearest enlargement by whole factors: every voxel is repeated."""
    for axis, f in enumerate(factor, start=2):
        x = x.repeat_interleave(f, axis)
    return x
