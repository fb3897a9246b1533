"""3D U2-Net under the names of the published state dictionary: the separable unit, and the network with many tasks.

Encoder, up steps and units are the ones that the trainers use, with the source's strided convolutions. The source adds
its side outputs to the logits, where ours follow nnU-Net's deep supervision: this sum is put together here.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from benchmarks.naive.separable import enlarge
from nnunet_skipx.architectures import U2Net
from nnunet_skipx.kernels.depthwise import depthwise
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.full_unit import FullUnit
from nnunet_skipx.skips.separable import Separable
from nnunet_skipx.universal.sharing import share

if TYPE_CHECKING:
    from tests.parity import Reference

SIDE_OUTPUT_LEVELS = (2, 1)
OPS = BlockOps(nn.Conv3d, nn.InstanceNorm3d, {"affine": True}, nn.LeakyReLU, {"negative_slope": 0.01, "inplace": True})
PLAN_OPS = {
    "conv_op": OPS.conv_op,
    "norm_op": OPS.norm_op,
    "norm_op_kwargs": OPS.norm_op_kwargs,
    "nonlin": OPS.nonlin_op,
    "nonlin_kwargs": OPS.nonlin_kwargs,
}
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


def layers_of_unit(unit: Any, task: int, prefix: str = "") -> Named:
    """The layers of a task's unit under the reference's names; the tasks' networks share the last."""
    yield f"{prefix}adapOps.{task}.conv1", unit.depthwise
    yield f"{prefix}adapOps.{task}.op1.0", unit.norm
    yield f"{prefix}op.{task}", unit.out_norm
    yield f"{prefix}pwise.conv1", unit.pointwise


def evaluate_unit(reference: "Reference") -> dict[str, torch.Tensor]:
    """One separable unit on one input, per task."""
    config, x = reference.meta["config"], reference.values["in/x"]
    stride = config["stride"] if isinstance(config["stride"], list) else [config["stride"]] * 3
    tasks = [
        Separable(OPS, config["in_channels"], config["out_channels"], [3] * 3, stride).double()
        for _ in range(config["nb_tasks"])
    ]
    for unit in tasks[1:]:
        unit.pointwise = tasks[0].pointwise
    copy_parameters((named for t, unit in enumerate(tasks) for named in layers_of_unit(unit, t)), reference)
    values = {}
    for t, unit in enumerate(tasks):
        conv = unit.depthwise
        z = unit.nonlin(unit.norm(depthwise(x, conv.weight, conv.bias, conv.stride)))
        values |= {f"mid/task{t}_depthwise": z, f"mid/task{t}_pointwise": unit.pointwise(z)}
        values[f"out64/task{t}"] = unit(x)
    return values


class SourceNetwork(nn.Module):
    """Our network for one task of a file, and the source's side outputs."""

    def __init__(self, reference: "Reference", task: int) -> None:
        super().__init__()
        config = reference.meta["config"]
        if not (config["residual"] and config["instance_norm"]):
            raise ValueError("our units are the source's residual ones with instance norm; the file has others")
        pools = config["num_pool_per_axis"]
        depth = max(pools)
        self.task = task
        self.strides = [[1] * 3] + [[2 if i < pool else 1 for pool in pools] for i in range(depth)]
        features = [config["base_out_channels"] * 2**level for level in range(depth + 1)]
        classes = config["num_class_list"][task]
        self.network: Any = U2Net(
            config["in_channels_list"][task],
            classes,
            n_stages=depth + 1,
            features_per_stage=features,
            kernel_sizes=[[3] * 3] * (depth + 1),
            strides=self.strides,
            n_conv_per_stage=2,
            n_conv_per_stage_decoder=2,
            conv_bias=True,
            strided="source",
            **PLAN_OPS,
        )
        indices = sorted({int(name.split(".")[1]) for name in reference.group("param") if name.startswith("dSupers")})
        levels = [level for level in SIDE_OUTPUT_LEVELS if level < depth]
        self.side_levels = dict(zip(levels, indices, strict=bool(indices)))
        self.sides = nn.ModuleDict(
            {
                str(level): nn.Sequential(nn.Conv3d(features[level], classes, 1), OPS.norm(classes), OPS.nonlin())
                for level in self.side_levels
            }
        )

    def named_layers(self) -> Named:
        """All layers under the reference's names."""
        encoder, decoder, t = self.network.encoder, self.network.decoder, self.task
        yield f"in_tr_list.{t}.op1.0", encoder.stem.conv
        yield f"in_tr_list.{t}.op1.1.0", encoder.stem.norm
        yield f"out_tr_list.{t}.conv1", decoder.seg_layers[-1]
        for level, (block,) in enumerate(encoder.stages):
            yield from layers_of_unit(block.first, t, f"down_blocks.{level}.op1.")
            yield from layers_of_unit(block.second, t, f"down_blocks.{level}.op2.")
        for level, down in enumerate(encoder.downs):
            assert isinstance(down, FullUnit)
            yield f"down_samps.{level}.op1.conv", down.conv
            yield f"down_samps.{level}.op1.op.{t}", down.norm
        for position, (up, (first, second)) in enumerate(zip(decoder.ups, decoder.stages, strict=True)):
            level = len(decoder.ups) - 1 - position
            yield from layers_of_unit(up, t, f"up_samps.{level}.op.")
            yield from layers_of_unit(first, t, f"up_blocks.{level}.op1.")
            yield from layers_of_unit(second, t, f"up_blocks.{level}.op2.")
        for level, side in self.sides.items():
            yield f"dSupers.{self.side_levels[int(level)]}.{t}.op1.0", side[0]
            yield f"dSupers.{self.side_levels[int(level)]}.{t}.op1.1.0", side[1]

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Intermediate maps and `out` by the reference's names."""
        encoder, decoder = self.network.encoder, self.network.decoder
        maps = encoder(image)
        values = {f"down{level}": x for level, x in enumerate(maps)}
        for level, (down, x) in enumerate(zip(encoder.downs, maps[:-1], strict=True)):
            values[f"downsample{level}"] = down(x, activated=True)
        x, side = maps[-1], None
        for position, (up, stage) in enumerate(zip(decoder.ups, decoder.stages, strict=True)):
            level = len(decoder.ups) - 1 - position
            x = up(x, factor=self.strides[level + 1], activated=True)
            values[f"upsample{level}"] = x
            x = stage[1](stage[0](x, skip=maps[level], activated=True), activated=True)
            values[f"up{level}"] = x
            if level in self.side_levels:
                y = self.sides[str(level)](x)
                side = enlarge(y if side is None else y + side, self.strides[level])
                values[f"ds{self.side_levels[level]}"] = side
        out = decoder.seg_layers[-1](x)
        return values | {"out": out if side is None else out + side}


def evaluate_network(reference: "Reference") -> dict[str, torch.Tensor]:
    """The whole network on every task's input: one network per task, shared as in a universal run."""
    tasks = [SourceNetwork(reference, t).double() for t in range(len(reference.meta["config"]["in_channels_list"]))]
    for task in tasks[1:]:
        share(task.network, tasks[0].network)
    copy_parameters((named for task in tasks for named in task.named_layers()), reference)
    values = {}
    for t, task in enumerate(tasks):
        result = task(reference.values[f"in/x_task{t}"])
        values[f"out64/task{t}"] = result.pop("out")
        values |= {f"mid/task{t}_{name}": value for name, value in result.items()}
    return values


CASES = {"u2net_separable_unit": evaluate_unit, "u2net": evaluate_network}
