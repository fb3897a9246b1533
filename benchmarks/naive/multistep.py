"""FuseUNet's decoder as the formulas of the Adams methods read: every map enlarged, every slope taken by name."""

import torch
from torch.nn import functional as F

from nnunet_skipx.architectures.fuseunet import FuseUNet
from nnunet_skipx.skips.multistep import Slope


def naive_slope(node: Slope, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """`f(y + g(x)) - y`, g by einsum."""
    g = torch.einsum("oi,bi...->bo...", node.g.weight.flatten(1), x) + node.g.bias.view(1, -1, *[1] * (x.ndim - 2))
    return node.f(y + g) - y


def predict(y: torch.Tensor, past: list[torch.Tensor], order: int) -> torch.Tensor:
    """Adams-Bashforth: the memory one step on, from the slopes up to now."""
    if order == 1:
        return y + past[-1]
    if order == 2:
        return y + (3 * past[-1] - past[-2]) / 2
    if order == 3:
        return y + (23 * past[-1] - 16 * past[-2] + 5 * past[-3]) / 12
    return y + (55 * past[-1] - 59 * past[-2] + 37 * past[-3] - 9 * past[-4]) / 24


def correct(y: torch.Tensor, past: list[torch.Tensor], ahead: torch.Tensor, order: int) -> torch.Tensor:
    """Adams-Moulton: the same from the slope at the end of the step, too."""
    if order == 1:
        return y + ahead
    if order == 2:
        return y + (ahead + past[-1]) / 2
    if order == 3:
        return y + (5 * ahead + 8 * past[-1] - past[-2]) / 12
    return y + (9 * ahead + 19 * past[-1] - 5 * past[-2] + past[-3]) / 24


def naive_fuseunet(network: FuseUNet, image: torch.Tensor) -> list[torch.Tensor]:
    """Logits of every decoder stage, full resolution first."""
    *skips, bottleneck = network.encoder(image)
    decoder = network.decoder
    mode = "bilinear" if image.ndim == 4 else "trilinear"
    y = torch.zeros_like(bottleneck[:, :1]).repeat(1, decoder.start.g.out_channels, *[1] * (image.ndim - 2))
    past = [naive_slope(decoder.start, bottleneck, y)]
    logits = []
    for node, head, x in zip(decoder.stages, decoder.seg_layers, skips[::-1], strict=True):
        y, *past = (F.interpolate(m, size=x.shape[2:], mode=mode, align_corners=False) for m in (y, *past))
        order = min(len(past), decoder.order)
        ahead = naive_slope(node, x, predict(y, past, order))
        y = correct(y, past, ahead, order)
        past.append(naive_slope(node, x, y))
        logits.append(head(y))
    return logits[::-1]
