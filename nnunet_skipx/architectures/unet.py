"""nnU-Net's own encoder and decoder with a skip mechanism between them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from dynamic_network_architectures.building_blocks.plain_conv_encoder import PlainConvEncoder
from dynamic_network_architectures.building_blocks.residual_encoders import ResidualEncoder
from dynamic_network_architectures.building_blocks.unet_decoder import UNetDecoder
from torch import nn

from nnunet_skipx.architectures.any_size import any_size
from nnunet_skipx.architectures.pretrained import TakesWeights
from nnunet_skipx.architectures.sizes import map_sizes
from nnunet_skipx.skips.blocks import BlockOps

PLANNED = {
    "n_stages",
    "features_per_stage",
    "conv_op",
    "kernel_sizes",
    "strides",
    "n_conv_per_stage_decoder",
    "norm_op",
}


class PlannedUNet(TakesWeights):
    """nnU-Net's encoder from the plans, and a decoder: nnU-Net's own, unless a subclass replaces it.

    Args:
        input_channels: channels of the image.
        num_classes: channels of the logits.
        deep_supervision: return one map of logits per decoder stage (full resolution first) instead of one in all.
        unet: the architecture arguments of the plans (`n_stages`, `features_per_stage`, `conv_op`, `strides`, ...);
            `n_blocks_per_stage` makes the encoder a residual one, `n_conv_per_stage` a plain one.
    """

    # Entries of the plans' configuration that the constructor wants besides the architecture arguments.
    plan_arguments: ClassVar[tuple[str, ...]] = ()
    # A mechanism claims that its gates depend on the image. This is the share of their spread between images under
    # batch norm that they must have under nnU-Net's instance norm; None says that there is no such claim.
    gates_spread: float | None = 0.5
    # Elements of the maps of one sample, in 2D and in 3D, at which the network takes the memory of nnU-Net's 8 GB plan
    # (`planning/references.py`); None leaves it to `skipx plan --vram` to find them out.
    vram_reference: ClassVar[tuple[int, int] | None] = None
    decoder: Any

    def __init__(self, input_channels: int, num_classes: int, deep_supervision: bool = False, **unet: Any) -> None:
        super().__init__()
        require_planned(type(self).__name__, unet)
        refuse_two_stages(unet["n_stages"], deep_supervision)
        stock_class = ResidualEncoderUNet if "n_blocks_per_stage" in unet else PlainConvUNet
        stock = stock_class(
            input_channels=input_channels, num_classes=num_classes, deep_supervision=deep_supervision, **unet
        )
        stock.apply(stock.initialize)
        self.encoder: PlainConvEncoder | ResidualEncoder = stock.encoder
        self.decoder = stock.decoder
        for key in ("key_to_encoder", "key_to_stem", "keys_to_in_proj"):
            setattr(self, key, getattr(stock, key))

    @property
    def skip_channels(self) -> list[int]:
        """Channels of the skips, stage 0 first; the bottleneck is not one of them."""
        return list(self.encoder.output_channels[:-1])

    @property
    def ops(self) -> BlockOps:
        """The op types of the plans, for the mechanism."""
        e = self.encoder
        return BlockOps(e.conv_op, e.norm_op, e.norm_op_kwargs, e.nonlin, e.nonlin_kwargs)

    def map_sizes(self, input_size: Sequence[int]) -> list[list[int]]:
        """Spatial sizes of the skips and the bottleneck in voxels for an image of `input_size` voxels."""
        return map_sizes(input_size, self.encoder.strides)

    @any_size
    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits `(B, num_classes, *spatial)` of an image `(B, input_channels, *spatial)`, a list if deep."""
        return self.decoder(self.encoder(x))

    def decode(
        self, bottleneck: torch.Tensor, merge: Callable[[int, torch.Tensor], torch.Tensor]
    ) -> torch.Tensor | list[torch.Tensor]:
        """nnU-Net's decoder with another way to merge: logits as `forward` gives them.

        Args:
            bottleneck: the encoder's last map, `(B, C, *spatial)`.
            merge: called with a skip's index (0 = full resolution) and the enlarged map of the stage below, which has
                that skip's shape; returns what `self.decoder_stage(index)` made of them.
        """
        decoder, x, logits = self.decoder, bottleneck, []
        for position, (transposed, head) in enumerate(zip(decoder.transpconvs, decoder.seg_layers, strict=True)):
            skip = len(decoder.stages) - 1 - position
            x = merge(skip, transposed(x))
            if decoder.deep_supervision or skip == 0:
                logits.append(head(x))
        return logits[::-1] if decoder.deep_supervision else logits[0]

    def decoder_stage(self, skip: int) -> nn.Module:
        """The stock decoder's stage that takes the skip of that index (0 = full resolution)."""
        return self.decoder.stages[-1 - skip]

    def auxiliary_loss(self) -> torch.Tensor:
        """What the mechanism adds to the loss of the last training pass, a scalar; 0 where it adds nothing."""
        return next(self.parameters()).new_zeros(())

    def compute_conv_feature_map_size(self, input_size: Sequence[int]) -> np.int64:
        """Elements that the convolutions put out for one sample, as nnU-Net's planners count them."""
        encoder = self.encoder.compute_conv_feature_map_size(input_size)
        return encoder + self.decoder.compute_conv_feature_map_size(input_size)


class SkipUNet(PlannedUNet):
    """A U-Net built from nnU-Net's plans, with a place for a skip mechanism; by itself it is the stock U-Net.

    Encoder and decoder are taken from the stock network, so their parameters keep the stock names and a trained
    nnU-Net checkpoint loads with only the mechanism's keys (`skips.*`) missing. They start as nnU-Net starts them.
    Arguments are those of `PlannedUNet`.
    """

    decoder: UNetDecoder


def require_planned(network: str, unet: Mapping[str, Any]) -> None:
    """Raise TypeError where arguments of nnU-Net's plans are missing; without `norm_op` there would be no norms."""
    depth = {"n_conv_per_stage", "n_blocks_per_stage"} & unet.keys() or {"n_conv_per_stage"}
    if missing := sorted((PLANNED | depth) - unet.keys()):
        raise TypeError(
            f"{network} lacks {', '.join(missing)} of the architecture arguments in nnU-Net's plans: give them, or use "
            f'nnunet_skipx.build("{network}", dims=2, in_channels=3, classes=2), which plans them as nnU-Net does'
        )


def refuse_two_stages(n_stages: int, deep_supervision: bool) -> None:
    """Raise ValueError for plans on which nnU-Net's deep supervision cannot work."""
    if deep_supervision and n_stages < 3:
        raise ValueError(
            f"the plans have {n_stages} stages, but nnU-Net's deep supervision needs 3 (with fewer, its loss "
            "weights are NaN): plan again with a larger patch, or use a configuration with more stages"
        )
