"""UDTransNet: the trainer's network is the source's, with DAT and DRA on every skip that is finer than the tokens."""

import math
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from tests.plan_shapes import PlanShape
from tests.wiring.wiring import (
    RELU,
    Case,
    Parts,
    Probe,
    Subject,
    activated,
    convolve,
    convolve_1,
    encoded,
    nearest,
    normed,
    seen_by,
    skip_first,
)

TRAINER = "nnUNetTrainerUDTransNet"
DEEP = PlanShape((128, 128), (1, 1), 6)
DEEP_3D = PlanShape((8, 128, 64), (5, 1, 1), 6)
CASES = {
    "2d": Case(TRAINER, DEEP),
    "3d": Case(TRAINER, DEEP_3D),
    "2d, batch norm and ReLU": Case(TRAINER, DEEP, "batch", plan=RELU),
    "2d, heads merged as published": Case(f"{TRAINER}_published", DEEP),
    "3d, spatial recalibration": Case(f"{TRAINER}_dras", DEEP_3D),
}
EPS, LAYER_NORM_EPS = 1e-5, 1e-6


def source(network: Any, image: torch.Tensor) -> Parts:
    """SPEC 3.1: the decoder sees skips as DRA makes them from DAT's tokens; those of the grid's stride as they are."""
    *skips, x = encoded(network, image)
    dras = network.skips.dras
    parts = dat(network.skips.dat, skips[: len(dras)])
    tokens = parts["tokens"][0]
    recalibrated, logits = [], []
    decoder = network.decoder
    for level, deconv, stage, head in zip(
        reversed(range(len(skips))), decoder.transpconvs, decoder.stages, decoder.seg_layers, strict=True
    ):
        d, o = deconv(x), skips[level]
        if level < len(dras):
            o = dra(dras[level], d, tokens[level])
            recalibrated.append(o)
        x = skip_first(stage, o, d)
        logits.append(head(x))
    return parts | {"skips": recalibrated, "logits": logits[::-1]}


def dat(module: Any, skips: list[torch.Tensor]) -> Parts:
    """SPEC 3.2: embedding, layers, and a layer norm per scale; all token lists are `(S, B, n, d)`."""
    parts: Parts = {"patches": [], "channel attention": [], "spatial attention": [], "layers": []}
    tokens = []
    for k, e in enumerate(skips):
        patch = module.patches[k]
        p = tuple(patch.weight.shape[2:])
        tokens.append(convolve(e, patch.weight, patch.bias, stride=p).flatten(2).transpose(1, 2) + module.positions[k])
    parts["patches"].append(torch.stack(tokens))
    for layer in module.layers:
        fused = channel_attention(layer, tokens)
        contexts = [spatial_attention(layer, k, t, torch.cat(fused, 1)) for k, t in enumerate(tokens)]
        tokens = [feed_forward(layer, k, t, c) for k, (t, c) in enumerate(zip(tokens, contexts, strict=True))]
        parts["channel attention"].append(torch.stack(fused, 1))
        parts["spatial attention"].append(torch.stack(contexts))
        parts["layers"].append(torch.stack(tokens))
    return parts | {"tokens": [torch.stack([layer_norm(module.norm, k, t) for k, t in enumerate(tokens)])]}


def layer_norm(norm: Any, k: int, tokens: torch.Tensor) -> torch.Tensor:
    """One scale's norm over the features of `(B, n, d)`."""
    mean, variance = tokens.mean(2, keepdim=True), tokens.var(2, correction=0, keepdim=True)
    return (tokens - mean) / (variance + LAYER_NORM_EPS).sqrt() * norm.weight[k] + norm.bias[k]


def attend(scores: torch.Tensor) -> torch.Tensor:
    """softmax(IN(scores)) of `(..., rows, columns)`; the norm runs over all entries of a matrix, no affine part."""
    mean, variance = scores.mean((-1, -2), keepdim=True), scores.var((-1, -2), correction=0, keepdim=True)
    return torch.softmax((scores - mean) / (variance + EPS).sqrt(), -1)


def channel_attention(layer: Any, tokens: list[torch.Tensor]) -> list[torch.Tensor]:
    """SPEC 3.2, step 2, on the norm of the concatenated tokens: a block `(B, n, d)` per scale."""
    norm, fusion = layer.joint_norm, layer.fusion
    joint = F.layer_norm(torch.cat(tokens, 2), norm.normalized_shape, norm.weight, norm.bias, LAYER_NORM_EPS)
    q, k, v = (joint @ linear.weight.T for linear in (fusion.query, fusion.key, fusion.value))
    fused = (attend(q.transpose(1, 2) @ k) @ v.transpose(1, 2)).transpose(1, 2)
    return list(fused.split([t.shape[2] for t in tokens], 2))


def spatial_attention(layer: Any, k: int, tokens: torch.Tensor, keys_values: torch.Tensor) -> torch.Tensor:
    """SPEC 3.2, steps 3 and 4: scale k's context `(B, n, d)`, heads merged, ahead of the projection."""
    selection = layer.selection
    heads = selection.heads
    q = layer_norm(layer.norm, k, tokens) @ selection.query.weight[k].T
    keys, values = keys_values @ selection.key.weight.T, keys_values @ selection.value.weight.T
    width = q.shape[2] // heads
    context = []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        context.append(attend(q[..., part] @ keys[..., part].transpose(1, 2)) @ values[..., part])
    if selection.merge == "published" and k > 0:  # the block (B, heads, n, width) read as if it were (B, n, d)
        return torch.stack(context, 1).reshape(q.shape)
    return torch.cat(context, 2)


def feed_forward(layer: Any, k: int, tokens: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
    """SPEC 3.2, steps 4 and 5: the projected context is added, then what two linear maps make of the sum."""
    z = tokens + context @ layer.project.weight[k].T
    expand, project = layer.feed_forward.expand, layer.feed_forward.project
    x = layer_norm(layer.feed_forward_norm, k, z) @ expand.weight[k].T + expand.bias[k]
    x = 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))
    return z + x @ project.weight[k].T + project.bias[k]


def dra(module: Any, d: torch.Tensor, o: torch.Tensor) -> torch.Tensor:
    """SPEC 3.3: a skip of the size of the decoder map d, of d and the tokens o, `(B, n, e)`."""
    mask = activated(
        normed(convolve_1(d, module.mask_conv.weight, module.mask_conv.bias), module.mask_norm), module.mask_nonlin
    )
    patches = convolve(d, module.patches.weight, module.patches.bias, stride=tuple(module.patches.weight.shape[2:]))
    q = patches.flatten(2).transpose(1, 2) @ module.query.weight.T
    k, v = o @ module.key.weight.T, o @ module.value.weight.T
    if module.recalibration == "channel":
        t = (attend(q.transpose(1, 2) @ k) @ v.transpose(1, 2)).transpose(1, 2)
    else:
        t = attend(q @ k.transpose(1, 2)) @ v
    t = (t @ module.project.weight.T).transpose(1, 2).reshape(patches.shape)
    t = convolve_1(nearest(t, d.shape[2:]), module.restore_conv.weight, module.restore_conv.bias)
    return activated(normed(t, module.restore_norm), module.restore_nonlin) * mask


def watched(network: Any) -> dict[str, list[Probe]]:
    """The same maps in our network."""
    transformer = network.skips.dat
    return {
        "patches": [seen_by(transformer.layers[0])],
        "channel attention": [Probe(layer.fusion) for layer in transformer.layers],
        "spatial attention": [Probe(layer.selection) for layer in transformer.layers],
        "layers": [Probe(layer) for layer in transformer.layers],
        "tokens": [Probe(transformer)],
        "skips": [Probe(module) for module in network.skips.dras],
    }


SUBJECT = Subject(CASES, source, watched)


@pytest.mark.parametrize("case", CASES)
def test_the_trainers_network_is_wired_as_the_source(case: str) -> None:
    SUBJECT.check(case)


def test_the_four_skips_finer_than_stride_16_are_cut_into_the_sources_patches() -> None:
    """SPEC 3.2: patches of 16, 8, 4 and 2; SPEC 3.3: the decoder's tokens have the same grid."""
    bridge = CASES["2d"].build().skips
    for modules in (bridge.dat.patches, [module.patches for module in bridge.dras]):
        assert [module.kernel_size for module in modules] == [(p, p) for p in (16, 8, 4, 2)]
        assert [module.stride for module in modules] == [(p, p) for p in (16, 8, 4, 2)]
    bridge = CASES["3d"].build().skips
    assert [module.kernel_size for module in bridge.dat.patches] == [(2, 16, 16), (2, 8, 8), (2, 4, 4), (1, 2, 2)]
