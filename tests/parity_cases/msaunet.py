"""MSA-UNet under the names of its published state dictionary.

Ours: attention, re-injection (the first convolution of an encoder stage is split into its own map's part, done here,
and the rest), resizing, and the head as a sum. The source's plain parts, which nnU-Net's stages replace in our network,
stand here: pooling encoder, double convolutions, depthwise bottleneck, transposed convolutions.
"""

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from nnunet_skipx.kernels.resize import resize_linear
from nnunet_skipx.skips.reinjection import DenseReinjection
from nnunet_skipx.skips.spatial_channel_attention import SpatialChannelAttention
from nnunet_skipx.skips.summed_heads import sum_enlarged

if TYPE_CHECKING:
    from tests.parity import Reference

Values = dict[str, torch.Tensor]
WITHOUT_EFFECT = ("cat2.rat.conv1.bias", "cat2.cat1.rat.conv1.bias")  # they cancel in a softmax; ours has none


def below(values: Values, prefix: str) -> Values:
    """Values whose name begins with `prefix.`, by the rest of it."""
    return {key[len(prefix) + 1 :]: value for key, value in values.items() if key.startswith(f"{prefix}.")}


def our_attention(param: Values) -> SpatialChannelAttention:
    """Our module with the parameters of the source's, all of which must be known."""
    module = SpatialChannelAttention(param["conv.weight"].shape[1]).double().eval()
    layers = {"conv": module.spatial, "cat2.rat.conv1": module.gate_pooling}
    layers["cat2.cat1.rat.conv1"] = module.linear_pooling
    for number, position in enumerate((0, 1, 3, 4), start=1):  # 2 is the ReLU
        layers[f"cat2.conv{number}"] = module.gate[position]
        layers[f"cat2.cat1.l{number}"] = module.linear[position]
    ours = {f"{name}.{key}": p for name, layer in layers.items() for key, p in layer.named_parameters()}
    if unlike := ours.keys() ^ (param.keys() - set(WITHOUT_EFFECT)):
        raise ValueError(f"parameter names differ: {sorted(unlike)}")
    for name, parameter in ours.items():
        parameter.data.copy_(param[name].view_as(parameter))
    return module


def attention(reference: "Reference") -> Values:
    """Output and intermediate values of the attention."""
    module = our_attention(reference.group("param"))
    x = reference.values["in/x"]
    pooled_linear, pooled_gate, y = module.pool(x)
    linear, gate = module.linear(pooled_linear), torch.sigmoid(module.gate(pooled_gate))
    scale, shift = module.scale_and_shift(x)
    vectors = {"cat1_rat": pooled_linear, "cat1": linear, "cat2_rat": pooled_gate, "cat2_sigmoid": gate, "cat2": scale}
    values = {f"mid/{key}": value[..., None, None] for key, value in vectors.items()}
    values |= {"mid/row_mean": y.mean(3, keepdim=True), "mid/col_mean": y.mean(2, keepdim=True)}
    return values | {"mid/spatial": shift, "out64/o": module(x)}


class Source:
    """The published network around our modules."""

    def __init__(self, param: Values, antialias: bool) -> None:
        self.param = param
        self.levels = sum(name.startswith("downs.") and name.endswith("conv.0.weight") for name in param)
        self.attention = our_attention(below(param, f"ups.{3 * self.levels - 2}"))
        self.reinjection = self.our_reinjection(antialias)

    def our_reinjection(self, antialias: bool) -> DenseReinjection:
        """Our module; the source's weight sees a stage's own map first, then what is re-injected."""
        image, *widths = (self.param[f"downs.{k}.conv.0.weight"].shape[1] for k in range(self.levels))
        channels = [self.param[f"downs.{k}.conv.0.weight"].shape[0] for k in range(self.levels)]
        assert widths == [image + sum(channels[: k + 1]) for k in range(self.levels - 1)]
        own = [nn.Conv2d(channels[k], channels[k + 1], 3, padding=1) for k in range(self.levels - 1)]
        module = DenseReinjection(own, image, channels[:-2], antialias).double()
        for k, conv in enumerate(module.convs):
            conv.weight.data.copy_(self.param[f"downs.{k + 1}.conv.0.weight"][:, channels[k] :])
        return module

    def norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """Batch norm in evaluation, then ReLU."""
        p = below(self.param, name)
        return F.relu(F.batch_norm(x, p["running_mean"], p["running_var"], p["weight"], p["bias"]))

    def conv(self, name: str, x: torch.Tensor, groups: int = 1) -> torch.Tensor:
        """A convolution without bias; a stage's first one takes as many of its input channels as x has."""
        weight = self.param[f"{name}.weight"]
        weight = weight if groups > 1 else weight[:, : x.shape[1]]
        return F.conv2d(x, weight, padding=weight.shape[-1] // 2, groups=groups)

    def double(self, name: str, first: torch.Tensor) -> torch.Tensor:
        """What follows the first convolution of a double block."""
        x = self.norm(f"{name}.conv.1", first)
        return self.norm(f"{name}.conv.4", self.conv(f"{name}.conv.3", x))

    def encode(self, image: torch.Tensor) -> list[torch.Tensor]:
        """The skips s_0, s_1, ..., unpooled."""
        skips = [self.double("downs.0", self.conv("downs.0.conv.0", image))]
        pooled: list[torch.Tensor] = []
        for k in range(1, self.levels):
            pooled.append(F.max_pool2d(skips[-1], 2))
            first = self.conv(f"downs.{k}.conv.0", pooled[-1]) + self.reinjection(image, pooled)
            skips.append(self.double(f"downs.{k}", first))
        return skips

    def bottleneck(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv("bottleneck.conv.0", x, groups=x.shape[1])
        x = self.norm("bottleneck.conv.2", self.conv("bottleneck.conv.1", x))
        return self.norm("bottleneck.conv.5", self.conv("bottleneck.conv.4", x))

    def decode(self, skips: list[torch.Tensor], bottleneck: torch.Tensor) -> list[torch.Tensor]:
        """d_0, d_1, ..., coarse to fine."""
        maps = [bottleneck]
        for k, skip in enumerate(reversed(skips)):
            up = below(self.param, f"ups.{3 * k}")
            enlarged = F.conv_transpose2d(maps[-1], up["weight"], up["bias"], stride=2)
            merged = torch.cat([skip, resize_linear(enlarged, skip.shape[2:])], 1)
            maps.append(self.double(f"ups.{3 * k + 2}", self.conv(f"ups.{3 * k + 2}.conv.0", merged)))
        return maps

    def logits(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """Our sum of heads; the source's weight sees the finest map first, then the others from coarse to fine."""
        ordered = [maps[-1], *maps[:-1]]
        finest, *coarse = self.param["finalconv.weight"].split([x.shape[1] for x in ordered], 1)
        heads = [F.conv2d(x, weight) for x, weight in zip(maps[:-1], coarse, strict=True)]
        return sum_enlarged([*heads, F.conv2d(maps[-1], finest, self.param["finalconv.bias"])])

    def __call__(self, image: torch.Tensor) -> Values:
        """Logits and intermediate values by their names in the file."""
        skips = self.encode(image)
        values = {f"down{k}": x for k, x in enumerate(skips)}
        bottleneck = self.bottleneck(F.max_pool2d(skips[-1], 2))
        finest = self.attention(skips[0])
        maps = self.decode([finest, *skips[1:]], bottleneck)
        values |= {f"dec{k}": x for k, x in enumerate(maps[1:])}
        return values | {"bottleneck": bottleneck, "skip0_attention": finest, "logits": self.logits(maps)}


@torch.no_grad()
def network(reference: "Reference") -> Values:
    """Logits with and without antialiasing, of all inputs in the file, and intermediate values of the first."""
    values: Values = {}
    for antialias, marker in ((True, ""), (False, "_noaa")):
        source = Source(reference.group("param"), antialias)
        for name, image in reference.group("in").items():
            odd = name.removeprefix("x")
            found = source(image)
            values[f"out64/logits{marker}{odd}"] = found["logits"]
            if not odd:
                values |= {f"mid/{key}{marker}": value for key, value in found.items()}
    return values


CASES = {"msaunet_attention": attention, "msaunet": network}
