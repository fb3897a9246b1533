"""MSA-UNet: the trainer's network re-injects, attends and joins its heads where the source does."""

from typing import Any

import pytest
import torch

from tests.plan_shapes import PlanShape
from tests.wiring.wiring import (
    CHANNELS,
    RELU,
    Case,
    Parts,
    Probe,
    Subject,
    convolve,
    convolve_1,
    linearly,
    seen_by,
    skip_first,
)

TRAINER = "nnUNetTrainerMSAUNet"
FLAT = PlanShape((64, 64), (1, 1), 5)  # with four skips, as the source
ANISOTROPIC = PlanShape((8, 64, 96), (5, 1, 1), 5)
CASES = {
    "2d": Case(TRAINER, FLAT),
    "3d": Case(TRAINER, ANISOTROPIC),
    "2d, batch norm and ReLU": Case(TRAINER, FLAT, "batch", plan=RELU),
    "2d, residual encoder": Case(TRAINER, FLAT, residual=True),
    "3d, residual encoder": Case(TRAINER, ANISOTROPIC, residual=True),
    "2d, antialiased": Case(f"{TRAINER}_antialias", FLAT),
    "3d, attention on all levels": Case(f"{TRAINER}_alllevels", ANISOTROPIC),
}


def source(network: Any, image: torch.Tensor) -> Parts:
    """SPEC 4.1, decoder and output."""
    first_convolutions, skips, bottleneck = encode(network, image)
    attended = [attention(module, s) for module, s in zip(network.skips.attentions, skips, strict=False)]
    skips[: len(attended)] = attended
    maps, logits = [bottleneck], []
    heads = [network.skips.bottleneck_head, *network.decoder.seg_layers]
    for deconv, stage, skip in zip(network.decoder.transpconvs, network.decoder.stages, reversed(skips), strict=True):
        maps.append(skip_first(stage, skip, deconv(maps[-1])))
        logits.append(output(heads[: len(maps)], maps))
    return {"re-injection": first_convolutions, "attention": attended, "logits": logits[::-1]}


def encode(network: Any, image: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor], torch.Tensor]:
    """SPEC 4.1, encoder: outputs of the convolutions over concatenations, the skips, and the bottleneck's map."""
    stem = getattr(network.encoder, "stem", None)
    first, *middle, last = network.encoder.stages
    skips, convolved = [first(image if stem is None else stem(image))], []
    for stage, conv in zip(middle, network.skips.reinjection.convs, strict=True):
        *earlier, own = skips
        target = first_block(stage)
        size = [-(-n // s) for n, s in zip(own.shape[2:], target.conv.stride, strict=True)]
        how = {"antialias": True} if network.skips.reinjection.antialias else {}
        others = torch.cat([linearly(x, size, **how) for x in (image, *earlier)], 1)
        y = convolve_concatenation(target.conv, conv.weight, own, others)
        convolved.append(y)
        skips.append(behind_first_convolution(stage, own, y))
    return convolved, skips, last(skips[-1])  # the bottleneck sees the map above it and nothing else


def blocks_of(stage: Any) -> list[Any]:
    """The blocks of a stage of nnU-Net's plain encoder or of its residual one."""
    return list(stage.blocks if hasattr(stage, "blocks") else stage[0].convs)


def first_block(stage: Any) -> Any:
    """What holds a stage's first convolution."""
    block = blocks_of(stage)[0]
    return getattr(block, "conv1", block)


def convolve_concatenation(target: Any, kernel: torch.Tensor, own: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """One convolution over `[own, others]`, own with the kernel of `target`, others with `kernel`.

    The source pools the own map ahead of the convolution; nnU-Net's convolution pools by its stride s. So the own map
    is s times as fine as the others. Those are put on every s-th voxel of a map of zeros, and the taps of their kernel
    s voxels apart, which lets one strided convolution see both.
    """
    stride, size = target.stride, kernel.shape[2:]
    every = tuple(slice(None, None, s) for s in stride)
    spread = own.new_zeros(*others.shape[:2], *own.shape[2:])
    spread[(..., *every)] = others
    wide = [(k - 1) * s + 1 for k, s in zip(size, stride, strict=True)]
    joined = own.new_zeros(len(kernel), own.shape[1] + others.shape[1], *wide)
    middle = tuple(slice((w - k) // 2, (w + k) // 2) for w, k in zip(wide, size, strict=True))
    joined[(slice(None), slice(own.shape[1]), *middle)] = target.weight
    joined[(slice(None), slice(own.shape[1], None), *every)] = kernel
    padding = [w // 2 for w in wide]
    return convolve(torch.cat([own, spread], 1), joined, target.bias, stride=stride, padding=padding)


def behind_first_convolution(stage: Any, own: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """What nnU-Net's stage makes of its first convolution's output y; a residual block adds its stock input, `own`."""
    first, *rest = blocks_of(stage)
    if hasattr(first, "conv1"):
        y = first.conv2(first.conv1.nonlin(first.conv1.norm(y)))
        y = first.nonlin2(y + first.skip(own))
    else:
        y = first.nonlin(first.norm(y))
    for block in rest:
        y = block(y)
    return y


def attention(module: Any, x: torch.Tensor) -> torch.Tensor:
    """SPEC 4.2, with one factor of the spatial term per axis in 3D as well."""
    axes = tuple(range(2, x.ndim))
    pooled = torch.stack([pool(x, layer.weight) for layer in (module.linear_pooling, module.gate_pooling)], 1)
    if hasattr(module.amplified, "gain"):  # where the plans norm each image, see `image_level`
        usual = module.amplified.mean.value
        pooled = usual + module.amplified.gain * (pooled - usual)
    c1, c2 = hourglass(module.linear, pooled[:, 0]), torch.sigmoid(hourglass(module.gate, pooled[:, 1]))
    y = convolve_1(x, module.spatial.weight, module.spatial.bias)
    product = torch.ones_like(y)
    for axis in axes:
        product = product * y.mean([other for other in axes if other != axis], keepdim=True)
    return torch.sigmoid(product) + (c2 + c1).view(*c1.shape, *[1] * len(axes)) * x


def pool(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Attention pooling: `(B, C)` of `(B, C, *spatial)`."""
    a = torch.softmax(convolve_1(x, weight).flatten(1), 1).view(len(x), 1, *x.shape[2:])
    return (a * x).sum(tuple(range(2, x.ndim)))


def hourglass(layers: Any, x: torch.Tensor) -> torch.Tensor:
    """Four linear maps with a ReLU in the middle, `(B, C)`."""
    first, second, _, third, fourth = layers
    x = (x @ first.weight.T + first.bias) @ second.weight.T + second.bias
    return (x.clamp_min(0) @ third.weight.T + third.bias) @ fourth.weight.T + fourth.bias


def output(heads: list[Any], maps: list[torch.Tensor]) -> torch.Tensor:
    """SPEC 4.1, output: one convolution over the finest map and all coarser ones, enlarged to its size."""
    *coarse, finest = maps
    everything = torch.cat([finest, *(linearly(d, finest.shape[2:]) for d in coarse)], 1)
    weight = torch.cat([heads[-1].weight, *(head.weight for head in heads[:-1])], 1)
    return convolve_1(everything, weight, sum(head.bias for head in heads if head.bias is not None))


def watched(network: Any) -> dict[str, list[Probe]]:
    """The same maps in our network; a first convolution's output is what its norm sees."""
    return {
        "re-injection": [seen_by(first_block(stage).norm) for stage in network.encoder.stages[1:-1]],
        "attention": [Probe(module) for module in network.skips.attentions],
    }


SUBJECT = Subject(CASES, source, watched)


@pytest.mark.parametrize("case", CASES)
def test_the_trainers_network_is_wired_as_the_source(case: str) -> None:
    SUBJECT.check(case)


@pytest.mark.parametrize("case", CASES)
def test_stages_between_first_and_bottleneck_see_image_and_earlier_maps_and_the_bottleneck_sees_none(case: str) -> None:
    """SPEC 4.1: input channels at k are `c_in + f0 + ... + f_{k-1}`, for k up to the last skip."""
    network = CASES[case].build()
    f = network.encoder.output_channels
    middle = range(1, len(f) - 1)
    extra = [conv.in_channels for conv in network.skips.reinjection.convs]
    assert extra == [CHANNELS + sum(f[: k - 1]) for k in middle]
    own = [first_block(stage).conv.in_channels for stage in network.encoder.stages[1:]]
    assert own == f[:-1]
