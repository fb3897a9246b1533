"""MSA-UNet's mechanisms as their definition reads: enlarge and concatenate first, convolve afterwards.

Takes the parameters of our modules. The oracle of the equality tests and the yardstick of the cost benchmark.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from benchmarks.naive.image_level import amplified
from nnunet_skipx.architectures.injection import first_conv_block, run_stage
from nnunet_skipx.architectures.msaunet import MSAUNet
from nnunet_skipx.skips.reinjection import DenseReinjection
from nnunet_skipx.skips.spatial_channel_attention import SpatialChannelAttention


def interpolate(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """`(B, C, *spatial)` to `(B, C, *size)` by torch's own linear kernels."""
    return F.interpolate(x, size=tuple(size), mode="bilinear" if x.ndim == 4 else "trilinear", align_corners=False)


def convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, **how: Any) -> torch.Tensor:
    """A convolution in 2D or 3D; a weight of two axes is a 1x1 one."""
    if weight.ndim == 2:
        weight = weight.view(*weight.shape, *[1] * (x.ndim - 2))
    return (F.conv2d if x.ndim == 4 else F.conv3d)(x, weight, bias, **how)


def naive_head(heads: Sequence[Any], maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """Logits of all `maps` `(B, C, *spatial)`, coarse to fine, concatenated at the size of the last."""
    everything = torch.cat([interpolate(x, maps[-1].shape[2:]) for x in maps], 1)
    biases = [head.bias for head in heads if head.bias is not None]
    return convolve(everything, torch.cat([head.weight for head in heads], 1), torch.stack(biases).sum(0))


def naive_attention(module: SpatialChannelAttention, x: torch.Tensor) -> torch.Tensor:
    """`module(x)`, `(B, C, *spatial)`, term by term."""
    y = convolve(x, module.spatial.weight, module.spatial.bias)
    axes = list(range(2, x.ndim))
    product = torch.ones_like(y)
    for axis in axes:
        mean = y
        for other in axes:
            mean = mean if other == axis else mean.mean(other, keepdim=True)
        product = product * mean

    def pooled(weight: torch.Tensor) -> torch.Tensor:
        attention = torch.softmax(convolve(x, weight).flatten(2), 2).view_as(y)
        return (attention * x).sum(axes)

    both = torch.stack([pooled(module.linear_pooling.weight), pooled(module.gate_pooling.weight)], 1)
    linear, gate = amplified(module.amplified, both).unbind(1)
    scale = module.linear(linear) + torch.sigmoid(module.gate(gate))
    return torch.sigmoid(product) + scale.view(*scale.shape, *[1] * len(axes)) * x


def naive_first_convolution(
    target: Any, module: DenseReinjection, image: torch.Tensor, features: Sequence[torch.Tensor]
) -> torch.Tensor:
    """`target(features[-1]) + module(image, features)` as one convolution over the concatenation.

    Needs a `target` without stride, as in the source, where the maps are pooled ahead of the next stage.
    """
    *earlier, own = features
    everything = torch.cat([own, *(interpolate(x, own.shape[2:]) for x in (image, *earlier))], 1)
    weight = torch.cat([target.weight, module.convs[len(earlier)].weight], 1)
    return convolve(everything, weight, target.bias, padding=target.padding)


def naive_msaunet(network: MSAUNet, image: torch.Tensor) -> list[torch.Tensor]:
    """Logits of every decoder stage, full resolution first, of a network without antialiasing."""
    stem = getattr(network.encoder, "stem", None)
    first, *middle, last = network.encoder.stages
    features = [first(image if stem is None else stem(image))]
    for stage, conv in zip(middle, network.skips.reinjection.convs, strict=True):
        target: Any = first_conv_block(stage).conv
        size = target(features[-1]).shape[2:]
        everything = torch.cat([interpolate(x, size) for x in (image, *features[:-1])], 1)
        features.append(run_stage(stage, features[-1], convolve(everything, conv.weight, padding=target.padding)))
    skips, bottleneck = features, last(features[-1])
    skips[: len(network.skips.attentions)] = [
        naive_attention(module, x) for module, x in zip(network.skips.attentions, skips, strict=False)
    ]
    maps, logits = [bottleneck], []
    heads = [network.skips.bottleneck_head, *network.decoder.seg_layers]
    for position, skip in enumerate(reversed(skips)):
        enlarged = network.decoder.transpconvs[position](maps[-1])
        maps.append(network.decoder.stages[position](torch.cat([enlarged, skip], 1)))
        logits.append(naive_head(heads[: position + 2], maps))
    return logits[::-1]
