"""CCT and CCA as the paper's equations read: skip after skip, head after head, the reconstruction at full size.

Takes the parameters of our modules. The paper leaves out layer norms "for simplicity"; they stand where ours do.
"""

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from nnunet_skipx.architectures.uctransnet import UCTransNet
from nnunet_skipx.skips.cca import CCA
from nnunet_skipx.skips.cct import CCT
from nnunet_skipx.skips.cct_layer import CCTLayer


def naive_layer(layer: CCTLayer, tokens: list[torch.Tensor]) -> list[torch.Tensor]:
    """Equations 1 to 4 for the tokens `(B, n, C_i)` of every skip."""
    joint = torch.cat(tokens, 2)
    joint = F.layer_norm(joint, joint.shape[2:], layer.joint_norm.weight, layer.joint_norm.bias, 1e-6)
    attention, outputs = layer.attention, []
    for t, norm, w_q, mlp in zip(tokens, layer.norms, attention.queries, layer.mlps, strict=True):
        t = F.layer_norm(t, t.shape[2:], norm.weight, norm.bias, 1e-6)
        heads, queries = [], []
        for head in range(len(w_q)):
            q, k, v = t @ w_q[head], joint @ attention.key[head], joint @ attention.value[head]
            similarity = q.transpose(1, 2) @ k / joint.shape[2] ** 0.5
            m = torch.softmax(F.instance_norm(similarity[:, None])[:, 0], -1)
            heads.append((m @ v.transpose(1, 2)).transpose(1, 2))
            queries.append(q)
        mca, query = sum(heads) / len(heads), sum(queries) / len(queries)
        outputs.append(mca + mlp(query + mca))
    return outputs


def naive_cct(module: CCT, features: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """What CCT adds to each skip, `(B, C_i, *spatial)`: up-sampling, then convolution, norm and activation."""
    maps = [conv(x) for conv, x in zip(module.patches, features, strict=True)]
    tokens = [x.flatten(2).transpose(1, 2) for x in maps]
    for layer in module.layers:
        tokens = naive_layer(layer, tokens)
    added = []
    for t, patches, x, restore in zip(tokens, maps, features, module.restores, strict=True):
        y = t.transpose(1, 2).unflatten(2, patches.shape[2:])
        added.append(restore(F.interpolate(y, size=x.shape[2:], mode="nearest")))
    return added


def naive_cca(module: CCA, skip: torch.Tensor, decoder: torch.Tensor) -> torch.Tensor:
    """The skip with its channels weighed; the means are amplified where ours are."""
    axes = tuple(range(2, skip.ndim))
    pooled = module.amplified(torch.stack([skip.mean(axes), decoder.mean(axes)], 1))
    mask = pooled[:, 0] @ module.of_skip.weight.T + module.of_skip.bias + pooled[:, 1] @ module.of_decoder.weight.T
    return skip / (1 + torch.exp(-mask)).view(*mask.shape, *[1] * len(axes))


def naive_uctransnet(network: UCTransNet, image: torch.Tensor) -> list[torch.Tensor]:
    """Logits of every decoder stage, full resolution first."""
    *skips, below = network.encoder(image)
    bridged = len(network.skips.channels)
    if network.skips.cct is not None:
        added = naive_cct(network.skips.cct, skips[:bridged])
        skips[:bridged] = [x + y for x, y in zip(skips, added, strict=False)]
    logits = []
    for position, skip in enumerate(reversed(skips)):
        stage = len(skips) - 1 - position
        u = network.decoder.transpconvs[position](below)
        if stage < bridged and len(network.skips.ccas):
            skip = naive_cca(network.skips.ccas[stage], skip, u)
        below = network.decoder.stages[position](torch.cat([u, skip], 1))
        logits.append(network.decoder.seg_layers[position](below))
    return logits[::-1]
