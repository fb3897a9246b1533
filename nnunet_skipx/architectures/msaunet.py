"""MSA-UNet on nnU-Net's plans: dense re-injection, attention on the skips, one head over all decoder maps."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from nnunet_skipx.architectures.any_size import any_size
from nnunet_skipx.architectures.injection import first_conv_block, run_stage
from nnunet_skipx.architectures.unet import SkipUNet
from nnunet_skipx.skips.image_level import normalises_each_image
from nnunet_skipx.skips.reinjection import DenseReinjection
from nnunet_skipx.skips.spatial_channel_attention import SpatialChannelAttention
from nnunet_skipx.skips.summed_heads import sum_enlarged

# Brings the spread between images of the attention's poolings to that with batch norm: `benchmarks.gate_spread`.
POOLING_GAIN = 3.0


class MSASkips(nn.Module):
    """The parts of MSA-UNet's mechanism that nnU-Net's U-Net lacks; None for what a twin leaves out."""

    def __init__(
        self, reinjection: DenseReinjection | None, attentions: Sequence[nn.Module], bottleneck_head: Any | None
    ) -> None:
        super().__init__()
        self.reinjection = reinjection
        self.attentions = nn.ModuleList(attentions)  # of the finest skips, stage 0 first
        # named so that nnU-Net knows it for a head, which other classes do not take over
        self.seg_layers = nn.ModuleList([] if bottleneck_head is None else [bottleneck_head])
        self.register_load_state_dict_pre_hook(name_of_before)  # type: ignore[no-untyped-call]

    @property
    def bottleneck_head(self) -> Any:
        """The head of the bottleneck, None where there is none."""
        return self.seg_layers[0] if len(self.seg_layers) else None


def name_of_before(module: nn.Module, state: dict[str, Any], prefix: str, *unused: Any) -> None:
    """Let checkpoints load in which the bottleneck's head had another name."""
    if (old := f"{prefix}bottleneck_head.weight") in state:
        state[f"{prefix}seg_layers.0.weight"] = state.pop(old)


class MSAUNet(SkipUNet):
    """nnU-Net's U-Net with the multi-level encoder input, skip attention and head of MSA-UNet.

    The bottleneck sees the map of the stage above only, as in the source. The heads of the decoder's maps are the stock
    `seg_layers`. The bottleneck's head starts as nnU-Net starts those.

    Args:
        input_channels, num_classes, deep_supervision, unet: see `SkipUNet`.
        attention_levels: "finest", as released, has attention on the finest skip only; "all" on every skip.
        antialias: antialiased resizing of what is re-injected into the encoder; the authors ran it without.
        attention, reinjection, head: False for the twins, which lack one or all of the three: attention returns its
            input, encoder stages see their stock input, and each map of the decoder has a head of its own.
    """

    vram_reference = (86_000_000, 566_000_000)

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        deep_supervision: bool = False,
        *,
        attention_levels: Literal["finest", "all"] = "finest",
        antialias: bool = False,
        attention: bool = True,
        reinjection: bool = True,
        head: bool = True,
        **unet: Any,
    ) -> None:
        super().__init__(input_channels, num_classes, deep_supervision, **unet)
        attended = attended_skips(attention_levels, attention, len(self.skip_channels))
        gain = POOLING_GAIN if normalises_each_image(self.ops.norm_op) else 1.0
        attentions = [SpatialChannelAttention(channels, gain) for channels in self.skip_channels[:attended]]
        dense = self.dense_reinjection(input_channels, antialias) if reinjection else None
        self.skips = MSASkips(dense, attentions, self.head_of_bottleneck() if head else None)
        self.gates_spread = MSAUNet.gates_spread if attended else None

    def dense_reinjection(self, input_channels: int, antialias: bool) -> DenseReinjection:
        """What the stages between the first and the bottleneck see besides their stock input."""
        targets = [first_conv_block(stage).conv for stage in self.encoder.stages[1:-1]]
        return DenseReinjection(targets, input_channels, self.skip_channels, antialias)

    def head_of_bottleneck(self) -> Any:
        """A 1x1 convolution that starts as nnU-Net starts its heads; the decoder's heads have the bias."""
        head = self.encoder.conv_op(self.encoder.output_channels[-1], self.decoder.num_classes, 1, bias=False)
        nn.init.kaiming_normal_(head.weight, a=1e-2)
        return head

    @any_size
    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits as `SkipUNet.forward`; at every stage the sum of the heads of that stage and of all coarser maps."""
        *skips, bottleneck = self.encode(x)
        for stage, attention in enumerate(self.skips.attentions):
            skips[stage] = attention(skips[stage])
        if self.skips.bottleneck_head is None:
            return self.decoder([*skips, bottleneck])
        maps = self.decoder_maps(skips, bottleneck)
        heads = [self.skips.bottleneck_head, *self.decoder.seg_layers]
        logits = [head(x) for head, x in zip(heads, maps, strict=True)]
        if self.decoder.deep_supervision:
            return [sum_enlarged(logits[:known]) for known in range(len(logits), 1, -1)]
        return sum_enlarged(logits)

    def encode(self, image: torch.Tensor) -> list[torch.Tensor]:
        """The encoder's maps, stage 0 first, with image and earlier maps re-injected into all but first and last."""
        if self.skips.reinjection is None:
            return self.encoder(image)
        stem = getattr(self.encoder, "stem", None)  # residual encoders have one
        first, *middle, last = self.encoder.stages
        features = [first(image if stem is None else stem(image))]
        for stage in middle:
            features.append(run_stage(stage, features[-1], self.skips.reinjection(image, features)))
        return [*features, last(features[-1])]

    def decoder_maps(self, skips: Sequence[torch.Tensor], bottleneck: torch.Tensor) -> list[torch.Tensor]:
        """The bottleneck and what every decoder stage makes, coarse to fine, each `(B, C, *spatial)`."""
        maps = [bottleneck]
        for transposed, stage, skip in zip(self.decoder.transpconvs, self.decoder.stages, skips[::-1], strict=True):
            maps.append(stage(torch.cat([transposed(maps[-1]), skip], 1)))
        return maps

    def compute_conv_feature_map_size(self, input_size: Sequence[int]) -> np.int64:
        """Elements that the convolutions put out for one sample; re-injection, attention and all heads included."""
        elements = super().compute_conv_feature_map_size(input_size)
        *sizes, bottleneck = self.map_sizes(input_size)
        if self.skips.reinjection is not None:
            elements += self.skips.reinjection.compute_conv_feature_map_size(sizes[1:])
        voxels = [math.prod(size) for size in sizes]
        elements += 3 * sum(voxels[: len(self.skips.attentions)])  # two poolings and the spatial term
        if self.skips.bottleneck_head is not None:
            others = 0 if self.decoder.deep_supervision else sum(voxels[1:])  # the decoder counts them itself
            elements += self.decoder.num_classes * (math.prod(bottleneck) + others)
        return np.int64(elements)


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
