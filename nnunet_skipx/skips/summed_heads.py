"""One segmentation head over maps of all resolutions, as a sum of heads (MSA-UNet)."""

from collections.abc import Sequence

import torch

from nnunet_skipx.kernels.resize import resize_linear


def sum_enlarged(logits: Sequence[torch.Tensor]) -> torch.Tensor:
    """Sum of logits `(B, num_classes, *spatial)` at the resolution of the last (MSA-UNet, output).

    The source enlarges all decoder maps, concatenates them and applies one 1x1 convolution. That is a sum of one 1x1
    convolution per map, and each commutes with linear enlargement, whose weights add up to 1. So the convolutions run
    at the maps' own resolutions, and only their few outputs are enlarged. Each goes to the target directly: enlarging
    twice by 2 is not enlarging by 4.
    """
    *coarse, finest = logits
    total = finest
    for x in coarse:
        total = total + resize_linear(x, finest.shape[2:])
    return total
