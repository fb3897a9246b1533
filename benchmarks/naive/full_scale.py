"""UNet 3+'s decoder as its equation reads: everything brought to the stage's size, convolved, concatenated, fused."""

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from nnunet_skipx.architectures.unet3plus import UNet3Plus
from nnunet_skipx.skips.full_scale import FullScale


def naive_full_scale(
    module: FullScale, encoder: Sequence[torch.Tensor], decoder: Sequence[torch.Tensor]
) -> torch.Tensor:
    """`[C(D(X_En(k))), k < i; C(X_En(i)); C(U(X_De(k))), k > i]` of maps at their own sizes, the stage's own the last
    of the encoder's."""
    size = encoder[-1].shape[2:]
    convolution, pool = (F.conv3d, F.max_pool3d) if len(size) == 3 else (F.conv2d, F.max_pool2d)
    mode = "trilinear" if len(size) == 3 else "bilinear"
    sources = [pool(x, [n // m for n, m in zip(x.shape[2:], size, strict=True)]) for x in encoder]
    sources += [F.interpolate(x, size=size, mode=mode, align_corners=False) for x in decoder]
    weights = [conv.weight for conv in (*module.of_encoder, *module.of_decoder)]
    padding = [k // 2 for k in weights[0].shape[2:]]
    return torch.cat([convolution(x, w, padding=padding) for x, w in zip(sources, weights, strict=True)], 1)


def naive_unet3plus(network: UNet3Plus, image: torch.Tensor) -> list[torch.Tensor]:
    """Logits of every decoder stage, full resolution first: `X_De(i) = H([...])`, and X_De(N) = X_En(N)."""
    encoder = network.encoder(image)
    decoder, logits = [encoder[-1]], []
    for i in reversed(range(len(encoder) - 1)):
        fuse = network.decoder.stages[-1 - i]
        finest, coarsest = (0 if network.finer else i), (len(decoder) if network.coarser else 1)
        seen = naive_full_scale(network.skips[i], encoder[finest : i + 1], decoder[:coarsest])
        decoder.insert(0, fuse.nonlin(fuse.norm(fuse.conv(seen))))
        logits.append(network.decoder.seg_layers[-1 - i](decoder[0]))
    return logits[::-1]
