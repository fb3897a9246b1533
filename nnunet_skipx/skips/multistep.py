"""Decoding as the integration of a differential equation over the skips (FuseUNet, ICML 2025, arXiv 2506.05821)."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import nn

from nnunet_skipx.kernels.channels_last import channels_last
from nnunet_skipx.kernels.convolution import convolution
from nnunet_skipx.kernels.resize import resize_linear

# Weights of the slopes for a step of length 1, by order. Adams-Bashforth: of the known slopes, latest first.
BASHFORTH = {
    1: (1.0,),
    2: (3 / 2, -1 / 2),
    3: (23 / 12, -16 / 12, 5 / 12),
    4: (55 / 24, -59 / 24, 37 / 24, -9 / 24),
}
# Adams-Moulton: of the slope at the end of the step, then as above.
MOULTON = {
    1: (1.0,),
    2: (1 / 2, 1 / 2),
    3: (5 / 12, 8 / 12, -1 / 12),
    4: (9 / 24, 19 / 24, -5 / 24, 1 / 24),
}


class Slope(nn.Module):
    """The neural memory equation `y' = f(y + g(x)) - y`: where an encoder map x drives the memory y.

    Args:
        g: brings x to the channels of y.
        f: convolutions that keep size and channels, with their activation.
    """

    def __init__(self, g: Any, f: Any) -> None:
        super().__init__()
        self.g = g
        self.f = f

    def forward(self, seen: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The slope at y, given `seen = g(x)`, all `(B, C, *spatial)`."""
        return self.f(y + seen) - y


class MultistepDecoder(nn.Module):
    """Logits of the memory after every step of an Adams predictor-corrector method, one step per decoder stage.

    The encoder's maps are the nodes, bottleneck first, a step of length 1 apart, and the memory starts at 0. A step
    predicts the memory at the next node from the known slopes (Adams-Bashforth), takes the slope there, corrects
    the memory with it (Adams-Moulton), and takes the slope anew for the steps to come. The order grows by 1 with every
    step, as slopes get known, up to `order`. Memory and slopes are enlarged linearly from node to node.

    Args:
        start: the slope at the bottleneck.
        stages: those at the skips, coarse to fine.
        seg_layers: the stages' 1x1 convolutions from memory to logits.
        order: 1 (Euler, without a memory of earlier slopes) to 4.
    """

    def __init__(
        self,
        start: Slope,
        stages: Sequence[Slope],
        seg_layers: Sequence[nn.Module],
        order: int,
    ) -> None:
        super().__init__()
        if order not in BASHFORTH:
            raise ValueError(f"order must be {', '.join(map(str, BASHFORTH))}, got {order!r}")
        self.start = start
        self.stages = nn.ModuleList(stages)
        self.seg_layers = nn.ModuleList(seg_layers)
        self.order = order
        self.deep_supervision = False  # nnU-Net toggles it

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor | list[torch.Tensor]:
        """Logits of the encoder's maps, stage 0 first: a list, full resolution first, with deep supervision; else one.

        The last step ends with the head, which commutes with the enlargement: only its few channels are enlarged.
        """
        seen = self.start.g(maps[-1])
        y, logits = torch.zeros_like(seen), []
        slopes = [self.start(seen, y)]
        stages: Any = self.stages
        for step, (stage, head) in enumerate(zip(stages, self.seg_layers, strict=True)):
            x = maps[-2 - step]
            order = min(step + 1, self.order)
            weight, *of_known = MOULTON[order]
            predicted, known = combined(y, slopes, BASHFORTH[order]), combined(y, slopes, of_known)
            if step == len(stages) - 1:
                logits.append(last_step(stage, head, x, predicted, known, weight))
                break
            predicted, known, *slopes = enlarged([predicted, known, *slopes[: self.order - 1]], x.shape[2:])
            seen = stage.g(x)
            y = known + weight * stage(seen, predicted)
            slopes = [stage(seen, y), *slopes]
            if self.deep_supervision:
                logits.append(head(y))
        return logits[::-1] if self.deep_supervision else logits[0]

    def compute_conv_feature_map_size(self, sizes: Sequence[Sequence[int]]) -> int:
        """Elements of convolutions' outputs and of enlarged maps for one sample, given the sizes of the nodes' maps."""
        stages: Any = self.stages
        heads: Any = self.seg_layers
        channels, classes = heads[0].in_channels, heads[0].out_channels
        elements = self.start.f.compute_conv_feature_map_size(sizes[-1]) + channels * prod(sizes[-1])
        for step, (stage, size) in enumerate(zip(stages, sizes[-2::-1], strict=True)):
            last = step == len(stages) - 1
            once = stage.f.compute_conv_feature_map_size(size)
            kept = min(step + 1, self.order - 1)
            elements += once if last else 2 * once + (1 + kept) * channels * prod(size)
            elements += 2 * channels * prod(size)  # of the skip, and what is predicted
            elements += classes * prod(size) * (2 if last else int(self.deep_supervision))
        return int(elements)


def combined(y: torch.Tensor, slopes: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """The memory plus as many of the slopes, latest first, as there are weights; `(B, C, *spatial)` each."""
    for weight, slope in zip(weights, slopes, strict=False):
        y = y + weight * slope
    return y


def enlarged(maps: Sequence[torch.Tensor], size: Sequence[int]) -> tuple[torch.Tensor, ...]:
    """Maps `(B, C, *spatial)` of one shape at another `size`, in the memory order that they have."""
    return in_order_of(maps[0], resize_linear(torch.cat(list(maps), 1), size)).chunk(len(maps), 1)


def in_order_of(like: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """A map as it is, or channels last where another is: the products that enlarge it leave the channels first."""
    return x if like.is_contiguous() else channels_last(x)


def last_step(
    stage: Slope, head: Any, x: torch.Tensor, predicted: torch.Tensor, known: torch.Tensor, weight: float
) -> torch.Tensor:
    """The head of `known + weight * stage(stage.g(x), predicted)`, both of them enlarged, `(B, classes, *spatial)`."""
    size = x.shape[2:]
    coarse = convolution(known - weight * predicted, head.weight)
    fine = stage.f(in_order_of(predicted, resize_linear(predicted, size)) + stage.g(x))
    return convolution(fine, weight * head.weight, head.bias) + resize_linear(coarse, size)
