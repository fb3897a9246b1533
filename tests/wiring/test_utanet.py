"""UTANet: the trainer's network is the source's U-Net with TA-MoSC between encoder and decoder."""

from typing import Any

import pytest
import torch

from nnunet_skipx.skips.gates import balance_loss
from tests.wiring.wiring import (
    ANISOTROPIC,
    FLAT,
    RELU,
    Case,
    Parts,
    Probe,
    Subject,
    activated,
    convolve_1,
    encoded,
    linearly,
    normed,
    seen_by,
    skip_first,
)

TRAINER = "nnUNetTrainerUTANet"
CASES = {
    "2d, batch norm and ReLU": Case(TRAINER, FLAT, "batch", decoder_convolutions=1, plan=RELU),
    "3d, batch norm and ReLU": Case(TRAINER, ANISOTROPIC, "batch", decoder_convolutions=1, plan=RELU),
    "2d": Case(TRAINER, FLAT, decoder_convolutions=1),
    "3d": Case(TRAINER, ANISOTROPIC, decoder_convolutions=1),
}


def source(network: Any, image: torch.Tensor) -> Parts:
    """SPEC 1.1: the decoder sees the encoder's maps through TA-MoSC only, the bottleneck as it is."""
    *skips, d = encoded(network, image)
    parts = ta_mosc(network.skips, skips)
    logits = []
    levels = reversed(range(len(skips)))
    decoder = network.decoder
    for level, deconv, stage, head in zip(levels, decoder.transpconvs, decoder.stages, decoder.seg_layers, strict=True):
        d = skip_first(stage, parts["skips"][level], deconv(d))
        logits.append(head(d))
    return parts | {"logits": logits[::-1]}


def ta_mosc(module: Any, skips: list[torch.Tensor]) -> Parts:
    """SPEC 1.2, steps 1 to 7."""
    size = skips[1].shape[2:]
    joined = convolve_1(
        torch.cat([linearly(e, size) for e in skips], 1), module.fuse.conv.weight, module.fuse.conv.bias
    )
    x = activated(normed(joined, module.fuse.norm), module.fuse.nonlin)
    experts = [expert(module.experts, n, x) for n in range(module.experts.num_experts)]
    axes = tuple(range(2, x.ndim))
    v = x.mean(axes) if module.level is None else image_level(module, joined)
    probabilities, weights, mixtures = gates(module.gates, v, experts)
    outputs = []
    for docker, y, e in zip(module.dockers, mixtures, skips, strict=True):
        r = activated(normed(convolve_1(y, docker.conv.weight, docker.conv.bias), docker.norm), docker.nonlin)
        outputs.append(linearly(r, e.shape[2:]))
    return {
        "fused map": [x],
        "gates": [probabilities, weights],
        "experts and mixtures": [torch.stack(mixtures, 1)],
        "balance loss": [balance(probabilities)],
        "skips": outputs,
    }


def expert(experts: Any, n: int, x: torch.Tensor) -> torch.Tensor:
    """SPEC 1.2, step 3: two convolutions in a row, norm, activation, convolution; ours lie stacked."""
    hidden, m = experts.expand.out_channels // experts.num_experts, x.shape[1]
    wide, narrow = slice(n * hidden, (n + 1) * hidden), slice(n * m, (n + 1) * m)
    y = convolve_1(x, experts.expand.weight[wide], experts.expand.bias[wide])
    y = convolve_1(y, experts.transform.weight[wide], experts.transform.bias[wide])
    y = activated(normed(y, experts.norm, wide), experts.nonlin)
    return convolve_1(y, experts.project.weight[narrow], experts.project.bias[narrow])


def gates(
    module: Any, v: torch.Tensor, experts: list[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    """SPEC 1.2, step 4: probabilities and weights, `(B, G, N)`, and per gate a mixture of experts."""
    batch, count = len(v), len(experts)
    probabilities = torch.zeros(batch, len(module.weight), count, dtype=v.dtype)
    weights = torch.zeros_like(probabilities)
    mixtures = [torch.zeros_like(experts[0]) for _ in module.weight]
    for b in range(batch):
        for g, matrix in enumerate(module.weight):
            p = torch.softmax(v[b] @ matrix, 0)
            chosen = sorted(range(count), key=lambda n, p=p: -float(p[n]))[: module.top_k]
            for n, w in zip(chosen, torch.softmax(p[chosen], 0), strict=True):
                mixtures[g][b] += w * experts[n][b]
                weights[b, g, n] = w
            probabilities[b, g] = p
    return probabilities, weights, mixtures


def image_level(module: Any, joined: torch.Tensor) -> torch.Tensor:
    """Where the plans norm each image: batch norm with running moments, activation, mean, deviations amplified."""
    level, norm, ones = module.level, module.fuse.norm, [1] * (joined.ndim - 2)
    mean, square = level.moments.value
    scale = norm.weight / (square - mean**2 + norm.eps).sqrt()
    shift = norm.bias - mean * scale
    z = activated(joined * scale.view(-1, *ones) + shift.view(-1, *ones), module.fuse.nonlin)
    usual = level.amplified.mean.value
    return usual + level.amplified.gain * (z.mean(tuple(range(2, z.ndim))) - usual)


def balance(probabilities: torch.Tensor) -> torch.Tensor:
    """SPEC 1.2, step 7: over the gates, the sum of the squared variation of the experts' usage."""
    loss = torch.zeros((), dtype=probabilities.dtype)
    for g in range(probabilities.shape[1]):
        u = probabilities[:, g].sum(0)
        variance = ((u - u.mean()) ** 2).sum() / (len(u) - 1)
        loss = loss + variance / (u.mean() ** 2 + 1e-10)
    return loss


def watched(network: Any) -> dict[str, list[Probe]]:
    """The same maps in our network."""
    mixture = network.skips
    return {
        "fused map": [seen_by(mixture.experts)],
        "gates": [
            Probe(mixture.gates, lambda inputs, routing: routing.probabilities),
            Probe(mixture.gates, lambda inputs, routing: routing.mixing_weights()),
        ],
        "experts and mixtures": [Probe(mixture.experts)],
        "balance loss": [Probe(mixture.gates, lambda inputs, routing: balance_loss(routing.probabilities.sum(0)))],
        "skips": [Probe(docker) for docker in mixture.dockers],
    }


SUBJECT = Subject(CASES, source, watched)


@pytest.mark.parametrize("case", CASES)
def test_the_trainers_network_is_wired_as_the_source(case: str) -> None:
    SUBJECT.check(case)


@pytest.mark.parametrize("case", CASES)
def test_gates_choose_by_the_image_and_not_alike(case: str) -> None:
    """Otherwise the equality above could not see who chose what."""
    ours, _ = SUBJECT.both(CASES[case])
    chosen = ours["gates"][1] > 0
    assert len(chosen.flatten(0, 1).unique(dim=0)) > 1
    assert (CASES[case].build().skips.level is None) == (CASES[case].norm == "batch")
