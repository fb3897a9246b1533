"""What must stand in a plans file: whatever nnU-Net asks a configuration for, and numbers that go together."""

import math
import re
from typing import Any

from nnunet_skipx.system.json_files import (
    Rule,
    UnfitError,
    all_of,
    anything,
    at,
    either,
    integer,
    list_of,
    name,
    null,
    number,
    object_of,
    record,
    text,
    unique,
)

AXES = 3
MOST_STAGES = 32
MOST_VOXELS = 2**28  # of a batch; those of nnU-Net have some millions
SIZES = ("kernel_sizes", "strides")
BLOCKS = ("n_conv_per_stage", "n_blocks_per_stage", "n_conv_per_stage_decoder")


def _odd(value: Any) -> None:
    integer(1, 99)(value)
    if value % 2 == 0:
        raise UnfitError(value, "an odd number")


def _per_stage(rule: Rule) -> Rule:
    """A value for all stages, or one for each."""
    return either(rule, list_of(rule, 1, MOST_STAGES))


def _per_axis(rule: Rule) -> Rule:
    """For all stages or for each, a value for all axes or for each."""
    return either(rule, list_of(either(rule, list_of(rule, 1, AXES)), 1, MOST_STAGES))


ARGUMENTS = record(
    {},
    {
        "n_stages": integer(1, MOST_STAGES),
        "features_per_stage": _per_stage(integer(1, 2**16)),
        "kernel_sizes": _per_axis(_odd),
        "strides": _per_axis(integer(1, 64)),
        **dict.fromkeys(BLOCKS, _per_stage(integer(0, 1000))),
    },
)
CONFIGURATION = record(
    {},
    {
        "inherits_from": text,
        "data_identifier": name,
        "patch_size": list_of(integer(1, 10**5), 2, AXES),
        "batch_size": integer(1, 10**6),
        "spacing": list_of(number(1e-9, 1e9), 2, AXES),
        "previous_stage": either(null, text),
        "architecture": record(
            {"network_class_name": anything, "arch_kwargs": ARGUMENTS, "_kw_requires_import": list_of(text)}
        ),
    },
)


def _once(axes: Any) -> None:
    unique(axes, "axis")


def _inherits(content: Any) -> None:
    """Every configuration that inherits leads, without a circle, to one that is there."""
    configurations = content["configurations"]
    for first in configurations:
        chain = [first]
        while (parent := configurations[chain[-1]].get("inherits_from")) is not None:
            if parent not in configurations or parent in chain:
                where = f"configurations.{chain[-1]}.inherits_from"
                raise UnfitError(parent, "another configuration, and no circle", where)
            chain.append(parent)


def _complete(content: Any) -> None:
    """What nnU-Net asks every configuration for, unless it is a universal run's, whose domains have patches."""
    for key in content["configurations"]:
        resolved = _resolved(content["configurations"], key)
        needed = ("patch_size", "batch_size", "spacing")
        patches = any(key in resolved for key in needed)
        with at(f"configurations.{key}"):
            record(dict.fromkeys(("data_identifier", *(needed if patches else ())), anything))(resolved)
            if patches:
                _fits(resolved)


def _resolved(configurations: Any, configuration: str) -> dict[str, Any]:
    """A configuration with all that it inherits."""
    content = configurations[configuration]
    parent = content.get("inherits_from")
    return {**({} if parent is None else _resolved(configurations, parent)), **content}


def _fits(configuration: dict[str, Any]) -> None:
    """The spacing, strides and kernels have the patch's axes, lists a value per stage, a batch a bearable size."""
    patch, spacing = configuration["patch_size"], configuration["spacing"]
    if (voxels := math.prod(patch) * configuration["batch_size"]) > MOST_VOXELS:
        raise UnfitError(patch, f"a batch of at most {MOST_VOXELS:.1e} voxels, not {voxels:.1e}", "patch_size")
    per_axis = f"a value for each of the {len(patch)} axes of patch_size"
    if len(spacing) != len(patch):
        raise UnfitError(spacing, per_axis, "spacing")
    arguments = configuration.get("architecture", {}).get("arch_kwargs", {})
    for key in ("conv_op", "norm_op"):
        axes = re.search(r"([123])d$", str(arguments.get(key)))
        if axes is not None and int(axes[1]) != len(patch):
            raise UnfitError(
                arguments[key], f"one of {len(patch)} axes, as patch_size", f"architecture.arch_kwargs.{key}"
            )
    for key in SIZES:
        value = arguments.get(key)
        for entry in value if isinstance(value, list) else []:
            if isinstance(entry, list) and len(entry) != len(patch):
                raise UnfitError(entry, per_axis, f"architecture.arch_kwargs.{key}")
    _one_per_stage(arguments)


def _one_per_stage(arguments: dict[str, Any]) -> None:
    for key in ("features_per_stage", *SIZES, *BLOCKS) if "n_stages" in arguments else ():
        value, count = arguments.get(key), arguments["n_stages"] - key.endswith("decoder")
        if isinstance(value, list) and len(value) != count:
            words = f"{count} values, as n_stages is {arguments['n_stages']}"
            raise UnfitError(value, words, f"architecture.arch_kwargs.{key}")


TRANSPOSE = all_of(list_of(integer(0, AXES - 1), 2, AXES), _once)
PLANS = all_of(
    record(
        {"dataset_name": name, "plans_name": name, "configurations": object_of(CONFIGURATION, keys=name, fewest=1)},
        dict.fromkeys(
            ("transpose_forward", "transpose_backward"), all_of(list_of(integer(0, AXES - 1), 2, AXES), _once)
        ),
    ),
    _inherits,
    _complete,
)
