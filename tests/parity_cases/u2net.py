"""3D U2-Net under the names of the published state dictionary: the separable unit, and the network with many tasks.

Encoder, up steps and units are the ones that the trainers use, with the source's strided convolutions. The source adds
its side outputs to the logits, where ours follow nnU-Net's deep supervision: this sum is put together here.
"""
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from benchmarks.naive_separable import enlarge
from nnunet_skipx.architectures.u2net_parts import Decoder, Domain, Encoder, Style
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.depthwise import depthwise
from nnunet_skipx.skips.full_unit import FullUnit
from nnunet_skipx.skips.separable import Separable

if TYPE_CHECKING:
    from tests.parity import Reference

SIDE_OUTPUT_LEVELS = (2, 1)
OPS = BlockOps(
    nn.Conv3d, nn.InstanceNorm3d, {"affine": True}, nn.LeakyReLU, {"negative_slope": 0.01, "inplace": True}
)
Named = Iterator[tuple[str, nn.Module]]


def copy_parameters(named: Named, reference: "Reference") -> None:
    """Copy every parameter of the file into our layers; both must have the same names."""
    ours = {f"{name}.{key}": getattr(layer, key) for name, layer in named for key in ("weight", "bias")}
    theirs = reference.group("param")
    if ours.keys() != theirs.keys():
        raise ValueError(f"parameter names differ: {sorted(ours.keys() ^ theirs.keys())}")
    with torch.no_grad():
        for name, value in theirs.items():
            ours[name].copy_(value)


def layers_of_unit(unit: Any, prefix: str = "") -> Named:
    """The layers of a unit under the reference's names."""
    for t, adapter in enumerate(unit.adapters):
        yield f"{prefix}adapOps.{t}.conv1", adapter.depthwise
        yield f"{prefix}adapOps.{t}.op1.0", adapter.norm
        yield f"{prefix}op.{t}", adapter.out_norm
    yield f"{prefix}pwise.conv1", unit.pointwise


def evaluate_unit(reference: "Reference") -> dict[str, torch.Tensor]:
    """One separable unit on one input, per task."""
    config, x = reference.meta["config"], reference.values["in/x"]
    tasks = config["nb_tasks"]
    stride = config["stride"] if isinstance(config["stride"], list) else [config["stride"]] * 3
    unit = Separable(OPS, config["in_channels"], config["out_channels"], [[3] * 3] * tasks, [stride] * tasks).double()
    copy_parameters(layers_of_unit(unit), reference)
    values = {}
    for t in range(tasks):
        adapter: Any = unit.adapters[t]
        conv = adapter.depthwise
        z = unit.nonlin(adapter.norm(depthwise(x, conv.weight, conv.bias, conv.stride)))
        values |= {f"mid/task{t}_depthwise": z, f"mid/task{t}_pointwise": unit.pointwise(z)}
        values[f"out64/task{t}"] = unit(x, t)
    return values


class SourceNetwork(nn.Module):
    """Our encoder and decoder for the tasks of a file, and the source's side outputs."""

    def __init__(self, reference: "Reference") -> None:
        super().__init__()
        config = reference.meta["config"]
        if not (config["residual"] and config["instance_norm"]):
            raise ValueError("our units are the source's residual ones with instance norm; the file has others")
        pools = config["num_pool_per_axis"]
        depth = max(pools)
        strides = [[1] * 3] + [[2 if i < pool else 1 for pool in pools] for i in range(depth)]
        channels = zip(config["in_channels_list"], config["num_class_list"], strict=True)
        domains = [Domain(image, classes, [[3] * 3] * (depth + 1), strides) for image, classes in channels]
        features = [config["base_out_channels"] * 2**level for level in range(depth + 1)]
        style = Style(OPS, True, "separable", "source")
        self.encoder = Encoder(style, domains, features, [1] * (depth + 1))
        self.decoder = Decoder(style, domains, features, [2] * depth)
        indices = sorted({int(name.split(".")[1]) for name in reference.group("param") if name.startswith("dSupers")})
        levels = [level for level in SIDE_OUTPUT_LEVELS if level < depth]
        self.side_levels = dict(zip(levels, indices, strict=bool(indices)))
        self.sides = nn.ModuleDict(
            {
                f"{level}_{t}": nn.Sequential(
                    nn.Conv3d(features[level], domain.num_classes, 1), OPS.norm(domain.num_classes), OPS.nonlin()
                )
                for level in self.side_levels
                for t, domain in enumerate(domains)
            }
        )

    def named_layers(self) -> Named:
        """All layers under the reference's names."""
        encoder: Any = self.encoder
        decoder: Any = self.decoder
        for t, stem in enumerate(encoder.stems):
            yield f"in_tr_list.{t}.op1.0", stem.conv
            yield f"in_tr_list.{t}.op1.1.0", stem.norm
            yield f"out_tr_list.{t}.conv1", decoder.seg_layers[t][-1]
        for level, (block,) in enumerate(encoder.stages):
            yield from layers_of_unit(block.first, f"down_blocks.{level}.op1.")
            yield from layers_of_unit(block.second, f"down_blocks.{level}.op2.")
        for level, down in enumerate(encoder.downs):
            assert isinstance(down, FullUnit)
            yield f"down_samps.{level}.op1.conv", down.conv
            yield from ((f"down_samps.{level}.op1.op.{t}", norm) for t, norm in enumerate(down.norms))
        for position, (up, (first, second)) in enumerate(zip(decoder.ups, decoder.stages, strict=True)):
            level = len(decoder.ups) - 1 - position
            yield from layers_of_unit(up, f"up_samps.{level}.op.")
            yield from layers_of_unit(first, f"up_blocks.{level}.op1.")
            yield from layers_of_unit(second, f"up_blocks.{level}.op2.")
        for name, side in self.sides.items():
            level, t = name.split("_")
            yield f"dSupers.{self.side_levels[int(level)]}.{t}.op1.0", side[0]
            yield f"dSupers.{self.side_levels[int(level)]}.{t}.op1.1.0", side[1]

    def forward(self, image: torch.Tensor, task: int) -> dict[str, torch.Tensor]:
        """Intermediate maps and `out` by the reference's names."""
        maps = self.encoder(image, task)
        values = {f"down{level}": x for level, x in enumerate(maps)}
        for level, (down, x) in enumerate(zip(self.encoder.downs, maps[:-1], strict=True)):
            values[f"downsample{level}"] = down(x, task, activated=True)
        decoder: Any = self.decoder
        x, side = maps[-1], None
        for position, (up, stage) in enumerate(zip(decoder.ups, decoder.stages, strict=True)):
            level = len(decoder.ups) - 1 - position
            strides = decoder.domains[task].strides
            x = up(x, task, factor=strides[level + 1], activated=True)
            values[f"upsample{level}"] = x
            x = stage[1](stage[0](x, task, skip=maps[level], activated=True), task, activated=True)
            values[f"up{level}"] = x
            if level in self.side_levels:
                y = self.sides[f"{level}_{task}"](x)
                side = enlarge(y if side is None else y + side, strides[level])
                values[f"ds{self.side_levels[level]}"] = side
        out = decoder.seg_layers[task][-1](x)
        return values | {"out": out if side is None else out + side}


def evaluate_network(reference: "Reference") -> dict[str, torch.Tensor]:
    """The whole network on every task's input."""
    network = SourceNetwork(reference).double()
    copy_parameters(network.named_layers(), reference)
    values = {}
    for t in range(len(reference.meta["config"]["in_channels_list"])):
        result = network(reference.values[f"in/x_task{t}"], t)
        values[f"out64/task{t}"] = result.pop("out")
        values |= {f"mid/task{t}_{name}": value for name, value in result.items()}
    return values


CASES = {"u2net_separable_unit": evaluate_unit, "u2net": evaluate_network}
