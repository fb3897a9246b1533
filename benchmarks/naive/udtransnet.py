"""DAT and DRA as their definitions read: score matrices in full, one scale after another, enlarge first.

Takes the parameters of our `DAT` and `DRA`. The oracle of the equality tests and the yardstick of the cost benchmark.
"""

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from nnunet_skipx.skips.dat import DAT
from nnunet_skipx.skips.dat_layer import DATLayer
from nnunet_skipx.skips.dra import DRA


def naive_dat(module: DAT, features: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Token lists `(B, n, d)` of `module(features)` for skips `(B, C, *spatial)`, computed the long way."""
    tokens = []
    for patch, position, x in zip(module.patches, module.positions, features, strict=True):
        tokens.append(patch(x).flatten(2).transpose(1, 2) + position)
    for layer in module.layers:
        tokens = naive_layer(layer, tokens)
    return [norm(module.norm, k, t) for k, t in enumerate(tokens)]


def naive_layer(layer: DATLayer, tokens: list[torch.Tensor]) -> list[torch.Tensor]:
    """One layer of DAT."""
    kv = naive_fusion(layer, layer.joint_norm(torch.cat(tokens, 2)), len(tokens))
    selection, p = layer.selection, layer.dropout.p
    keys, values = selection.key(kv), selection.value(kv)
    outputs = []
    for k, t in enumerate(tokens):
        query = F.linear(norm(layer.norm, k, t), selection.query.weight[k])
        context = naive_heads(query, keys, values, selection.heads, p if layer.training else 0.0)
        merged = context.transpose(1, 2) if selection.merge == "repaired" or k == 0 else context
        projected = F.linear(merged.reshape(t.shape), layer.project.weight[k])
        z = t + F.dropout(projected, p, layer.training)
        forward, x = layer.feed_forward, norm(layer.feed_forward_norm, k, z)
        hidden = F.dropout(F.gelu(F.linear(x, forward.expand.weight[k], forward.expand.bias[k])), p, layer.training)
        out = F.linear(hidden, forward.project.weight[k], forward.project.bias[k])
        outputs.append(z + F.dropout(out, p, layer.training))
    return outputs


def naive_fusion(layer: DATLayer, joint: torch.Tensor, scales: int) -> torch.Tensor:
    """Channel attention: keys' and values' input `(B, scales * n, d)`."""
    fusion = layer.fusion
    scores = fusion.query(joint).transpose(1, 2) @ fusion.key(joint)
    weights = F.dropout(torch.softmax(F.instance_norm(scores[:, None])[:, 0], -1), layer.dropout.p, layer.training)
    fused = (weights @ fusion.value(joint).transpose(1, 2)).transpose(1, 2)
    return torch.cat(fused.chunk(scales, 2), 1)


def naive_heads(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, heads: int, dropout: float
) -> torch.Tensor:
    """softmax(IN(Q K^T)) V, `(B, heads, n, d / heads)`, of token lists."""
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (query, keys, values))
    return F.dropout(torch.softmax(F.instance_norm(q @ k.transpose(2, 3)), -1), dropout) @ v


def norm(module: torch.nn.Module, k: int, tokens: torch.Tensor) -> torch.Tensor:
    """One scale's layer norm."""
    return F.layer_norm(tokens, tokens.shape[-1:], module.weight[k], module.bias[k], eps=1e-6)


def naive_dra(module: DRA, decoder_map: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """The skip of `module(decoder_map, tokens)`: the tokens are enlarged, then convolved, normed and activated."""
    mask = module.mask_nonlin(module.mask_norm(module.mask_conv(decoder_map)))
    patches = module.patches(decoder_map)
    q, k, v = module.query(patches.flatten(2).transpose(1, 2)), module.key(tokens), module.value(tokens)
    if module.recalibration == "channel":
        weights = torch.softmax(F.instance_norm((q.transpose(1, 2) @ k)[:, None])[:, 0], -1)
        picked = (weights @ v.transpose(1, 2)).transpose(1, 2)
    else:
        picked = torch.softmax(F.instance_norm((q @ k.transpose(1, 2))[:, None])[:, 0], -1) @ v
    x = module.project(picked).transpose(1, 2).unflatten(2, patches.shape[2:])
    for axis, (voxels, grid) in enumerate(zip(decoder_map.shape[2:], patches.shape[2:], strict=True), start=2):
        x = x.repeat_interleave(voxels // grid, axis)
    return module.restore_nonlin(module.restore_norm(module.restore_conv(x))) * mask
