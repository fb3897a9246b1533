"""XUNet's cross-over and channel attention in the source's network, under the names of its state dictionary.

The encoder, the transposed convolutions, what follows each first convolution and the head are the source's plain parts,
written out here; what a decoder block's first convolution makes of the concatenation is computed with our `CrossOver`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from nnunet_skipx.skips.cross_over import CrossOver

if TYPE_CHECKING:
    from tests.parity import Reference

LEVELS = (4, 3, 2, 1)
Parameters = dict[str, torch.Tensor]


def expected_names(attention: bool) -> set[str]:
    """The names that the file's parameters must have."""
    units = [f"conv_0.conv_{j}" for j in (0, 1)]
    units += [f"{block}.convs.conv_{j}" for k in LEVELS for block in (f"down_{k}", f"upcat_{k}") for j in (0, 1)]
    layers = [f"{unit}.{layer}" for unit in units for layer in ("conv", "adn.N")]
    layers += [f"upcat_{k}.upsample.deconv" for k in LEVELS] + ["final_conv"]
    names = {f"{layer}.{key}" for layer in layers for key in ("weight", "bias")}
    return names | {f"upcat_{k}.attention.fc.{n}.weight" for k in LEVELS for n in (0, 2) if attention}


def cross_over_of(reference: "Reference", parameters: Parameters, level: int) -> CrossOver:
    """Our module for one of the source's decoder levels, with the kernels of the maps that it treats."""
    config = reference.meta["config"]
    channels, stage, prefix = config["features"][:5], level - 1, f"upcat_{level}."
    weight = parameters[f"{prefix}convs.conv_0.conv.weight"]
    below = parameters[f"{prefix}upsample.deconv.bias"].numel()
    attention = f"{prefix}attention.fc.0.weight" in parameters
    module = CrossOver(
        channels, stage, below, len(weight), weight.shape[2:], attention, config.get("reduction", 16)
    ).double()
    values = {"weight": torch.cat(split_joined(module, weight)[1], 1)}
    if attention:
        values["attention.squeeze.weight"] = parameters[f"{prefix}attention.fc.0.weight"]
        values["attention.excite.weight"] = parameters[f"{prefix}attention.fc.2.weight"]
    module.load_state_dict(values)
    return module


def split_joined(module: CrossOver, weight: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The file's kernels over `[u, x0, ..., x4]`: those of u and the own level, and those of the others."""
    below = weight.shape[1] - sum(module.channels)
    u, *maps = weight.split([below, *module.channels], 1)
    own = maps.pop(module.stage)
    return [u, own], maps


def norm_nonlin(y: torch.Tensor, parameters: Parameters, unit: str) -> torch.Tensor:
    """The source's instance norm and leaky ReLU."""
    y = F.instance_norm(y, weight=parameters[f"{unit}.adn.N.weight"], bias=parameters[f"{unit}.adn.N.bias"])
    return F.leaky_relu(y, 0.1)


def convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """A convolution that keeps the size."""
    convolution = F.conv3d if x.ndim == 5 else F.conv2d
    return convolution(x, weight, bias, padding=tuple(k // 2 for k in weight.shape[2:]))


def run_unit(x: torch.Tensor, parameters: Parameters, unit: str) -> torch.Tensor:
    """Convolution, norm and activation."""
    y = convolve(x, parameters[f"{unit}.conv.weight"], parameters[f"{unit}.conv.bias"])
    return norm_nonlin(y, parameters, unit)


def encode(x: torch.Tensor, parameters: Parameters) -> list[torch.Tensor]:
    """The encoder's maps x0 to x4."""
    pool = F.max_pool3d if x.ndim == 5 else F.max_pool2d
    maps = []
    for k in range(5):
        x = pool(x, 2) if k else x
        for j in (0, 1):
            x = run_unit(x, parameters, f"down_{k}.convs.conv_{j}" if k else f"conv_0.conv_{j}")
        maps.append(x)
    return maps


def decode_level(
    t: torch.Tensor, maps: Sequence[torch.Tensor], parameters: Parameters, level: int, module: CrossOver
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The map after one decoder level, and its attention weights if it has any."""
    prefix = f"upcat_{level}."
    deconv = F.conv_transpose3d if t.ndim == 5 else F.conv_transpose2d
    name = f"{prefix}upsample.deconv"
    u = deconv(t, parameters[f"{name}.weight"], parameters[f"{name}.bias"], stride=2)
    unit = f"{prefix}convs.conv_0"
    seen, extra = module(u, maps)
    stock = torch.cat(split_joined(module, parameters[f"{unit}.conv.weight"])[0], 1)
    y = convolve(seen, stock, parameters[f"{unit}.conv.bias"]) + extra
    t = run_unit(norm_nonlin(y, parameters, unit), parameters, f"{prefix}convs.conv_1")
    attended = module.attention is not None
    return t, module.channel_weights([u, *module.at_size(maps, u.shape[2:])]) if attended else None


def evaluate(reference: "Reference") -> dict[str, torch.Tensor]:
    """The logits and all intermediate values under the reference's keys."""
    parameters = reference.group("param")
    expected = expected_names(attention=any(".attention." in name for name in parameters))
    if parameters.keys() != expected:
        raise ValueError(f"parameter names differ: {sorted(parameters.keys() ^ expected)}")
    maps = encode(reference.values["in/x"], parameters)
    values = {f"mid/x{k}": x for k, x in enumerate(maps)}
    t = maps[-1]
    for level in LEVELS:
        t, weights = decode_level(t, maps, parameters, level, cross_over_of(reference, parameters, level))
        values[f"mid/u{level}"] = t
        if weights is not None:
            values[f"mid/attn{level}"] = weights
    values["out64/logits"] = convolve(t, parameters["final_conv.weight"], parameters["final_conv.bias"])
    return values


CASES = {"xunet": evaluate}
