"""Attention U-Net's gate as the paper's equations read, voxel by voxel of the gating signal's grid."""

import torch
from torch.nn import functional as F

from nnunet_skipx.architectures.attentionunet import AttentionUNet
from nnunet_skipx.skips.attention_gate import AttentionGate


def naive_gate(module: AttentionGate, x: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """`module(x, g)`: equations 1 and 2, with products by einsum and torch's own linear enlargement."""
    stride = module.of_skip.stride
    of_x = x[(..., *(slice(None, None, step) for step in stride))]
    q = torch.einsum("oi,bi...->bo...", module.of_skip.weight.flatten(1), of_x)
    if module.of_below is not None:
        q = q + torch.einsum("oi,bi...->bo...", module.of_below.weight.flatten(1), g)
    q = F.relu(q + module.of_skip.bias.view(1, -1, *[1] * len(stride)))
    q = torch.einsum("oi,bi...->bo...", module.psi.weight.flatten(1), q) + module.psi.bias
    alpha = 1 / (1 + torch.exp(-q))
    mode = "bilinear" if x.ndim == 4 else "trilinear"
    return x * F.interpolate(alpha, size=x.shape[2:], mode=mode, align_corners=False)


def naive_attention_unet(network: AttentionUNet, image: torch.Tensor) -> list[torch.Tensor]:
    """Logits of every decoder stage, full resolution first."""
    *skips, below = network.encoder(image)
    logits = []
    for position, skip in enumerate(reversed(skips)):
        stage = len(skips) - 1 - position
        gate = network.skips[stage - network.first] if stage >= network.first else None
        enlarged = network.decoder.transpconvs[position](below)
        gated = skip if gate is None else naive_gate(gate, skip, below)
        below = network.decoder.stages[position](torch.cat([enlarged, gated], 1))
        logits.append(network.decoder.seg_layers[position](below))
    return logits[::-1]
