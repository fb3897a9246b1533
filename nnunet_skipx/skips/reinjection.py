"""Dense re-injection: every encoder stage also sees the image and all earlier maps, resized (MSA-UNet)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from nnunet_skipx.kernels.resize import resize_linear


class DenseReinjection(nn.Module):
    """What the first convolutions of stages 1, 2, ... make of the image and of earlier maps (MSA-UNet, encoder).

    The source convolves the concatenation of a stage's own input, the image and all maps before that input, resized to
    the resolution at which the stage works. A convolution over a concatenation is the sum of one per part: the stage
    keeps the convolution of its own input, and this adds the other part, at the stage's output resolution.

    The convolutions have no bias, the stage's own convolution has it. They start as nnU-Net starts a convolution over
    the whole concatenation, the stage's own input included.

    Args:
        targets: the first convolutions of stages 1, 2, ...; ours are like them, with stride 1.
        image_channels: channels of the image.
        channels: channels of the maps of stages 0, 1, ...
        antialias: antialiased resizing.
    """

    def __init__(
        self, targets: Sequence[Any], image_channels: int, channels: Sequence[int], antialias: bool = False
    ) -> None:
        super().__init__()
        self.antialias = antialias
        self.strides = [tuple(target.stride) for target in targets]
        self.convs = nn.ModuleList(
            convolution_beside(target, image_channels + sum(channels[:k])) for k, target in enumerate(targets)
        )

    def forward(self, image: torch.Tensor, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """What to add to the first convolution's output of the stage behind `features`.

        Args:
            image: `(B, image_channels, *spatial)`.
            features: outputs of the stages so far, stage 0 first, `(B, C, *spatial)`; the last is the own input of the
                stage in question, which its own convolution sees.
        """
        *earlier, own = features
        stride = self.strides[len(earlier)]
        size = [-(-n // s) for n, s in zip(own.shape[2:], stride, strict=True)]
        resized = [resize_linear(x, size, self.antialias).to(own.dtype) for x in (image, *earlier)]
        return self.convs[len(earlier)](torch.cat(resized, 1))

    def compute_conv_feature_map_size(self, sizes: Sequence[Sequence[int]]) -> int:
        """Elements that the convolutions put out for one sample, given the output sizes of stages 1, 2, ..."""
        convs: list[Any] = list(self.convs)
        return sum(conv.out_channels * math.prod(size) for conv, size in zip(convs, sizes, strict=True))


def convolution_beside(target: Any, channels: int) -> Any:
    """A convolution of `channels` maps at the output resolution of `target`, whose output is to be added to it."""
    conv = type(target)(channels, target.out_channels, target.kernel_size, padding=target.padding, bias=False)
    fan_in = (target.in_channels + channels) * math.prod(target.kernel_size)
    nn.init.normal_(conv.weight, std=nn.init.calculate_gain("leaky_relu", 1e-2) / fan_in**0.5)
    return conv
