"""UNet 3+ on nnU-Net's plans: every decoder stage sees all finer encoder maps and all coarser decoder maps."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from dynamic_network_architectures.building_blocks.simple_conv_blocks import ConvDropoutNormReLU
from dynamic_network_architectures.initialization.weight_init import InitWeights_He
from torch import nn

from nnunet_skipx.architectures.any_size import any_size
from nnunet_skipx.architectures.unet import PlannedUNet
from nnunet_skipx.skips.full_scale import FullScale, pooled_for_each_stage

SHARE = 4  # a source has this part of the stage's features


class UNet3Plus(PlannedUNet):
    """nnU-Net's encoder with UNet 3+'s decoder (Huang et al.): full-scale skips, one fusing convolution per stage.

    The decoder has none of nnU-Net's layers but the heads, so of a trained nnU-Net checkpoint the encoder loads.

    Args:
        input_channels, num_classes, deep_supervision, unet: see `PlannedUNet`; `n_conv_per_stage_decoder` means
            nothing here.
        width: channels that a stage brings every source to, 64 in the paper; None for a quarter of the encoder's at
            that stage. A stage puts out as many times that as the network has stages.
        finer, coarser: whether stages see finer encoder maps, and decoder maps coarser than the next; without, the
            other sources share the channels.
    """

    gates_spread = None
    vram_reference = (71_000_000, 503_000_000)

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        deep_supervision: bool = False,
        *,
        width: int | None = None,
        finer: bool = True,
        coarser: bool = True,
        **unet: Any,
    ) -> None:
        super().__init__(input_channels, num_classes, deep_supervision, **unet)
        if width is not None and width < 1:
            raise ValueError(f"width must be 1 or more, got {width}")
        self.finer, self.coarser = finer, coarser
        encoder, below = self.encoder.output_channels, [self.encoder.output_channels[-1]]
        self.skips = nn.ModuleList()
        for stage in reversed(range(len(encoder) - 1)):
            of_encoder, of_decoder = self.seen(encoder[: stage + 1], below)
            share = width or max(1, encoder[stage] // SHARE)
            wide = -(-share * len(encoder) // (len(of_encoder) + len(of_decoder)))
            skips = FullScale(self.ops, of_encoder, of_decoder, wide, self.encoder.kernel_sizes[stage])
            self.skips.insert(0, skips)
            below.insert(0, skips.channels)
        self.decoder = FusingDecoder(self.encoder, below[:-1], num_classes, deep_supervision)
        for part in (self.skips, self.decoder):
            part.apply(InitWeights_He(1e-2))

    def seen(self, encoder: Sequence[Any], decoder: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Which of the encoder's maps down to a stage and of the coarser decoder maps that stage sees."""
        return list(encoder if self.finer else encoder[-1:]), list(decoder if self.coarser else decoder[:1])

    @any_size
    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits `(B, num_classes, *spatial)` of an image `(B, input_channels, *spatial)`, a list if deep."""
        maps = self.encoder(x)
        strides = self.encoder.strides
        at_stage = pooled_for_each_stage(maps, strides) if self.finer else [[x] for x in maps]
        below = [maps[-1]]
        for stage in reversed(range(len(maps) - 1)):
            encoder, decoder = self.seen(at_stage[stage], below)
            below.insert(0, self.decoder.stages[-1 - stage](self.skips[stage](encoder, decoder)))
        return self.decoder(below[:-1])

    def compute_conv_feature_map_size(self, input_size: Sequence[int]) -> np.int64:
        """Elements that the convolutions put out for one sample: encoder, sources, fusing convolutions, heads."""
        elements = self.encoder.compute_conv_feature_map_size(input_size)
        mechanisms: list[Any] = list(self.skips)
        heads = len(mechanisms) if self.decoder.deep_supervision else 1
        for stage, (skips, size) in enumerate(zip(mechanisms, self.map_sizes(input_size)[:-1], strict=True)):
            elements += skips.compute_conv_feature_map_size(size) + skips.channels * prod(size)
            elements += self.decoder.num_classes * prod(size) * (stage < heads)
        return np.int64(elements)


class FusingDecoder(nn.Module):
    """One convolution, norm and activation per stage, and nnU-Net's heads; coarsest stage first, as nnU-Net's.

    Args:
        encoder: nnU-Net's, whose op types and kernels it has.
        channels: of the stages' input and output, full resolution first.
        num_classes, deep_supervision: see `PlannedUNet`.
    """

    def __init__(self, encoder: Any, channels: Sequence[int], num_classes: int, deep_supervision: bool) -> None:
        super().__init__()
        self.num_classes, self.deep_supervision = num_classes, deep_supervision
        norm = (encoder.norm_op, encoder.norm_op_kwargs)
        rest = (encoder.conv_bias, *norm, encoder.dropout_op, encoder.dropout_op_kwargs)
        self.stages = nn.ModuleList(
            ConvDropoutNormReLU(encoder.conv_op, c, c, kernel, 1, *rest, encoder.nonlin, encoder.nonlin_kwargs)
            for c, kernel in reversed(list(zip(channels, encoder.kernel_sizes, strict=False)))
        )
        self.seg_layers = nn.ModuleList(encoder.conv_op(c, num_classes, 1) for c in reversed(channels))

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor | list[torch.Tensor]:
        """Logits of the decoder's maps, `(B, C, *spatial)` each, full resolution first."""
        if not self.deep_supervision:
            return self.seg_layers[-1](maps[0])
        return [head(x) for head, x in zip(reversed(self.seg_layers), maps, strict=True)]
