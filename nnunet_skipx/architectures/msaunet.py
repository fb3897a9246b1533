"""MSA-UNet on nnU-Net's plans: dense re-injection, attention on the skips, one head over all decoder maps."""
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from nnunet_skipx.architectures.injection import first_conv_block, run_stage
from nnunet_skipx.architectures.unet import SkipUNet
from nnunet_skipx.skips.reinjection import DenseReinjection
from nnunet_skipx.skips.spatial_channel_attention import SpatialChannelAttention
from nnunet_skipx.skips.summed_heads import sum_enlarged


class MSASkips(nn.Module):
    """The parts of MSA-UNet's mechanism that nnU-Net's U-Net lacks."""

    def __init__(self, reinjection: DenseReinjection, attentions: Sequence[nn.Module], bottleneck_head: Any) -> None:
        super().__init__()
        self.reinjection = reinjection
        self.attentions = nn.ModuleList(attentions)  # of the finest skips, stage 0 first
        self.bottleneck_head = bottleneck_head


class MSAUNet(SkipUNet):
    """nnU-Net's U-Net with the multi-level encoder input, skip attention and head of MSA-UNet.

    The heads of the decoder's maps are the stock `seg_layers`. The bottleneck's head starts as nnU-Net starts those.

    Args:
        input_channels, num_classes, deep_supervision, unet: see `SkipUNet`.
        attention_levels: "finest", as released, has attention on the finest skip only; "all" on every skip.
        antialias: antialiased resizing of what is re-injected into the encoder; the authors ran it without.
        attention: False for the twin, in which attention returns its input.
    """

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        deep_supervision: bool = False,
        *,
        attention_levels: Literal["finest", "all"] = "finest",
        antialias: bool = False,
        attention: bool = True,
        **unet: Any,
    ) -> None:
        super().__init__(input_channels, num_classes, deep_supervision, **unet)
        attended = attended_skips(attention_levels, attention, len(self.skip_channels))
        targets = [first_conv_block(stage).conv for stage in self.encoder.stages[1:]]
        reinjection = DenseReinjection(targets, input_channels, self.skip_channels, antialias)
        bottleneck_head = self.encoder.conv_op(self.encoder.output_channels[-1], num_classes, 1, bias=False)
        nn.init.kaiming_normal_(bottleneck_head.weight, a=1e-2)
        attentions = [SpatialChannelAttention(channels) for channels in self.skip_channels[:attended]]
        self.skips = MSASkips(reinjection, attentions, bottleneck_head)

    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits as `SkipUNet.forward`; at every stage the sum of the heads of that stage and of all coarser maps."""
        *skips, bottleneck = self.encode(x)
        for stage, attention in enumerate(self.skips.attentions):
            skips[stage] = attention(skips[stage])
        maps = self.decoder_maps(skips, bottleneck)
        heads = [self.skips.bottleneck_head, *self.decoder.seg_layers]
        logits = [head(x) for head, x in zip(heads, maps, strict=True)]
        if self.decoder.deep_supervision:
            return [sum_enlarged(logits[:known]) for known in range(len(logits), 1, -1)]
        return sum_enlarged(logits)

    def encode(self, image: torch.Tensor) -> list[torch.Tensor]:
        """The encoder's maps, stage 0 first, with image and earlier maps re-injected into every later stage."""
        stem = getattr(self.encoder, "stem", None)  # residual encoders have one
        first, *later = self.encoder.stages
        features = [first(image if stem is None else stem(image))]
        for stage in later:
            features.append(run_stage(stage, features[-1], self.skips.reinjection(image, features)))
        return features

    def decoder_maps(self, skips: Sequence[torch.Tensor], bottleneck: torch.Tensor) -> list[torch.Tensor]:
        """The bottleneck and what every decoder stage makes, coarse to fine, each `(B, C, *spatial)`."""
        maps = [bottleneck]
        for transposed, stage, skip in zip(self.decoder.transpconvs, self.decoder.stages, skips[::-1], strict=True):
            maps.append(stage(torch.cat([transposed(maps[-1]), skip], 1)))
        return maps

    def compute_conv_feature_map_size(self, input_size: Sequence[int]) -> np.int64:
        """Elements that the convolutions put out for one sample; re-injection, attention and all heads included."""
        sizes = self.skip_sizes(input_size)
        sizes.append([-(-n // s) for n, s in zip(sizes[-1], self.encoder.strides[-1], strict=True)])
        voxels = [math.prod(size) for size in sizes]
        attention = 3 * sum(voxels[: len(self.skips.attentions)])  # two poolings and the spatial term
        heads = voxels[-1:] if self.decoder.deep_supervision else voxels[1:]  # the decoder counts the others
        own = self.skips.reinjection.compute_conv_feature_map_size(sizes[1:])
        own += attention + self.decoder.num_classes * sum(heads)
        return super().compute_conv_feature_map_size(input_size) + np.int64(own)


def attended_skips(attention_levels: str, attention: bool, skips: int) -> int:
    """How many of the finest skips have attention.

    Raises:
        ValueError: `attention_levels` is misspelt, or the twin is asked for all levels.
    """
    if attention_levels not in ("finest", "all"):
        raise ValueError(f'attention_levels must be "finest" or "all", got {attention_levels!r}')
    if not attention and attention_levels == "all":
        raise ValueError(
            'attention=False (the twin) together with attention_levels="all" would compare networks of very '
            'different size: the twin exists for attention_levels="finest" (leave out one of the two options)'
        )
    return (skips if attention_levels == "all" else 1) if attention else 0
