"""XUNet: every stage of the trainer's decoder sees what the source's does."""

from typing import Any

import pytest
import torch

from tests.wiring.wiring import (
    ANISOTROPIC,
    FLAT,
    Case,
    Parts,
    Probe,
    Subject,
    encoded,
    nearest,
    seen_by,
    stage_over,
)

TRAINER = "nnUNetTrainerXUNet"
CASES = {
    "2d": Case(TRAINER, FLAT),
    "3d": Case(TRAINER, ANISOTROPIC),
    "2d, the source's slope": Case(TRAINER, FLAT, plan={"nonlin_kwargs": {"inplace": True, "negative_slope": 0.1}}),
    "2d, attention": Case(f"{TRAINER}_attn", FLAT),
    "3d, attention": Case(f"{TRAINER}_attn", ANISOTROPIC),
}


def source(network: Any, image: torch.Tensor) -> Parts:
    """SPEC 2.1, decoder: `z = [u, N(x0), ..., N(xL)]` at every level, the bottleneck's map included."""
    maps = encoded(network, image)
    t = maps[-1]
    parts: Parts = {"concatenations": [], "logits": []}
    decoder = network.decoder
    for position, (deconv, stage, head) in enumerate(
        zip(decoder.transpconvs, decoder.stages, decoder.seg_layers, strict=True)
    ):
        level = len(maps) - 2 - position
        mechanism, u = network.skips[level], deconv(t)
        z = [u, *(nearest(x, u.shape[2:]) for x in maps)]
        if mechanism.attention is not None:
            weights = attention(mechanism.attention, torch.cat(z, 1))
            parts.setdefault("channel attention", []).append(weights)
            shares = weights.view(*weights.shape, *[1] * (u.ndim - 2)).split([x.shape[1] for x in z], 1)
            z = [x * share for x, share in zip(z, shares, strict=True)]
        first = stage.convs[0]
        kernels = joined_kernels(mechanism.weight, first.conv.weight, maps, level)
        t = stage_over(stage, z, kernels)
        parts["concatenations"].append(first_convolution(first, z, kernels))
        parts["logits"].insert(0, head(t))
    return parts


def joined_kernels(
    others: torch.Tensor, stock: torch.Tensor, maps: list[torch.Tensor], level: int
) -> list[torch.Tensor]:
    """The kernels of u and of x0, x1, ...: nnU-Net's convolution has those of u and of the level's own map."""
    channels = [x.shape[1] for x in maps]
    own = channels.pop(level)
    of_u, of_own = stock.split([stock.shape[1] - own, own], 1)
    kernels = list(others.split(channels, 1))
    kernels.insert(level, of_own)
    return [of_u, *kernels]


def first_convolution(first: Any, z: list[torch.Tensor], kernels: list[torch.Tensor]) -> torch.Tensor:
    """What one convolution over the whole concatenation puts out."""
    return first.conv._conv_forward(torch.cat(z, 1), torch.cat(kernels, 1), first.conv.bias)


def attention(module: Any, z: torch.Tensor) -> torch.Tensor:
    """SPEC 2.1, channel attention: `(B, C)` of the concatenation `(B, C, *spatial)`."""
    means = z.mean(tuple(range(2, z.ndim)))
    return torch.sigmoid(torch.relu(means @ module.squeeze.weight.T) @ module.excite.weight.T)


def watched(network: Any) -> dict[str, list[Probe]]:
    """The same maps in our network; a first convolution's output is what its norm sees."""
    probes = {"concatenations": [seen_by(stage.convs[0].norm) for stage in network.decoder.stages]}
    if network.skips[0].attention is not None:
        probes["channel attention"] = [Probe(mechanism.attention) for mechanism in network.skips]
    return probes


SUBJECT = Subject(CASES, source, watched)


@pytest.mark.parametrize("case", CASES)
def test_the_trainers_network_is_wired_as_the_source(case: str) -> None:
    SUBJECT.check(case)
