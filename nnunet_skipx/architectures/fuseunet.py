"""FuseUNet on nnU-Net's plans: nnU-Net's encoder, and a decoder that integrates a memory over its maps."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from dynamic_network_architectures.building_blocks.simple_conv_blocks import StackedConvBlocks
from dynamic_network_architectures.initialization.weight_init import InitWeights_He

from nnunet_skipx.architectures.unet import PlannedUNet
from nnunet_skipx.skips.blocks import refuse_unknown
from nnunet_skipx.skips.multistep import MultistepDecoder, Slope


class FuseUNet(PlannedUNet):
    """nnU-Net's encoder with FuseUNet's decoder, a multistep integration over the skips (He et al., ICML 2025).

    The memory has as many channels as the encoder's first stage. A stage's f has the convolutions that the plans give
    the decoder's stage. All start as nnU-Net starts convolutions. Of a trained nnU-Net the encoder fits.

    Args:
        input_channels, num_classes, deep_supervision, unet: see `PlannedUNet`.
        order: see `MultistepDecoder`.
        decoding: "stock" for the twin, which has nnU-Net's decoder.
    """

    gates_spread = None
    vram_reference = (117_000_000, 762_000_000)

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        deep_supervision: bool = False,
        *,
        order: int = 4,
        decoding: Literal["multistep", "stock"] = "multistep",
        **unet: Any,
    ) -> None:
        super().__init__(input_channels, num_classes, deep_supervision, **unet)
        refuse_unknown("decoding", decoding, ("multistep", "stock"))
        if decoding == "multistep":
            self.decoder = self.multistep_decoder(num_classes, order, unet["n_conv_per_stage_decoder"])
            self.decoder.apply(InitWeights_He(1e-2))
            self.decoder.deep_supervision = deep_supervision

    def multistep_decoder(self, num_classes: int, order: int, convs: int | Sequence[int]) -> MultistepDecoder:
        """The decoder for plans with `convs` convolutions per decoder stage, coarse to fine."""
        coarse_to_fine = range(len(self.skip_channels) - 1, -1, -1)
        counts = [convs] * len(coarse_to_fine) if isinstance(convs, int) else convs
        memory = self.encoder.output_channels[0]
        return MultistepDecoder(
            self.slope(len(coarse_to_fine), memory, counts[0]),
            [self.slope(stage, memory, count) for stage, count in zip(coarse_to_fine, counts, strict=True)],
            [self.ops.conv1x1(memory, num_classes) for _ in coarse_to_fine],
            order,
        )

    def slope(self, stage: int, memory: int, convs: int) -> Slope:
        """The memory's equation at an encoder stage."""
        e = self.encoder
        f = StackedConvBlocks(
            convs,
            e.conv_op,
            memory,
            memory,
            e.kernel_sizes[stage],
            1,
            e.conv_bias,
            e.norm_op,
            e.norm_op_kwargs,
            e.dropout_op,
            e.dropout_op_kwargs,
            e.nonlin,
            e.nonlin_kwargs,
        )
        return Slope(self.ops.conv1x1(e.output_channels[stage], memory), f)

    def compute_conv_feature_map_size(self, input_size: Sequence[int]) -> np.int64:
        """Elements that the convolutions put out for one sample, and those of the maps that the decoder enlarges."""
        if not isinstance(self.decoder, MultistepDecoder):
            return super().compute_conv_feature_map_size(input_size)
        encoder = self.encoder.compute_conv_feature_map_size(input_size)
        return encoder + np.int64(self.decoder.compute_conv_feature_map_size(self.map_sizes(input_size)))
