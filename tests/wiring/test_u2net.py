"""3D U2-Net: the trainer's network is the source's separable one for one task, but for the side outputs."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from tests.plan_shapes import PlanShape
from tests.wiring.wiring import ANISOTROPIC, FLAT, Case, Parts, Probe, Subject, convolve, convolve_1, nearest, normed

TRAINER = "nnUNetTrainerU2Net"
SHALLOW = PlanShape((32, 24), (1, 1), 3)  # rounding grows with every norm in a row
CASES = {
    "2d": Case(TRAINER, FLAT),
    "3d": Case(TRAINER, ANISOTROPIC),
    "2d, full strided convolutions": Case(f"{TRAINER}_source", FLAT),
    "3d, full strided convolutions": Case(f"{TRAINER}_source", ANISOTROPIC),
    "2d, residual plan": Case(TRAINER, SHALLOW, residual=True),
}


def source(network: Any, image: torch.Tensor) -> Parts:
    """SPEC 5.2, with a head on every stage of the decoder instead of side outputs added to the logits."""
    parts, skips, x = encode(network.encoder, image)
    parts |= {"up steps": [], "decoder stages": [], "logits": []}
    decoder = network.decoder
    for position, (up, stage, head) in enumerate(zip(decoder.ups, decoder.stages, decoder.seg_layers, strict=True)):
        skip = skips[-1 - position]
        first, second = stage
        x = act(separable(up, nearest(x, skip.shape[2:])))
        parts["up steps"].append(x)
        x = act(separable(first, torch.cat([x, skip], 1)))
        x = act(separable(second, x))
        parts["decoder stages"].append(x)
        parts["logits"].insert(0, convolve_1(x, head.weight, head.bias))
    return parts


def encode(encoder: Any, image: torch.Tensor) -> tuple[Parts, list[torch.Tensor], torch.Tensor]:
    """SPEC 5.2, input, levels and down steps: all maps, the skips, and the deepest map."""
    conv = encoder.stem.conv
    x = act(normed(convolve(image, conv.weight, conv.bias, padding=conv.padding), encoder.stem.norm))
    parts: Parts = {"input": [x], "residual blocks": [], "down steps": []}
    skips = []
    for level, blocks in enumerate(encoder.stages):
        if level > 0:
            x = down(encoder.downs[level - 1], x, encoder.strides[level])
            parts["down steps"].append(x)
        for block in blocks:
            h = act(separable(block.first, x))
            x = act(x + separable(block.second, h))
        parts["residual blocks"].append(x)
        skips.append(x)
    return parts, skips[:-1], skips[-1]


def act(x: torch.Tensor) -> torch.Tensor:
    """The source's activation."""
    return F.leaky_relu(x, 0.01)


def separable(unit: Any, x: torch.Tensor, stride: int | list[int] = 1) -> torch.Tensor:
    """SPEC 5.1: depthwise convolution, norm, activation, 1x1 convolution, norm."""
    conv, point = unit.depthwise, unit.pointwise
    padding = [k // 2 for k in conv.weight.shape[2:]]
    z = convolve(x, conv.weight, conv.bias, stride=stride, padding=padding, groups=x.shape[1])
    y = convolve_1(act(normed(z, unit.norm)), point.weight, point.bias)
    return normed(y, unit.out_norm)


def down(unit: Any, x: torch.Tensor, stride: list[int]) -> torch.Tensor:
    """SPEC 5.2, down step, where the unit has a full convolution; otherwise a separable unit with a stride."""
    if hasattr(unit, "depthwise"):
        return act(separable(unit, x, stride))
    margins: list[int] = []
    for kernel, s in zip(reversed(unit.conv.weight.shape[2:]), reversed(stride), strict=True):
        margins += [0 if s > 1 else kernel // 2, kernel // 2]  # 0 before and 1 after a strided axis
    return act(normed(convolve(F.pad(x, margins), unit.conv.weight, unit.conv.bias, stride=stride), unit.norm))


def watched(network: Any) -> dict[str, list[Probe]]:
    """The same maps in our network."""
    encoder, decoder = network.encoder, network.decoder
    return {
        "input": [Probe(encoder.stem)],
        "residual blocks": [Probe(blocks[-1]) for blocks in encoder.stages],
        "down steps": [Probe(unit) for unit in encoder.downs],
        "up steps": [Probe(unit) for unit in decoder.ups],
        "decoder stages": [Probe(stage[-1]) for stage in decoder.stages],
    }


SUBJECT = Subject(CASES, source, watched)


@pytest.mark.parametrize("case", CASES)
def test_the_trainers_network_is_wired_as_the_source(case: str) -> None:
    SUBJECT.check(case)


def test_only_the_source_option_has_full_strided_convolutions() -> None:
    """So the cases above see both kinds of down step."""
    network = CASES["2d, full strided convolutions"].build()
    assert not any(hasattr(unit, "depthwise") for unit in network.encoder.downs)
    assert all(hasattr(unit, "depthwise") for unit in CASES["2d"].build().encoder.downs)
