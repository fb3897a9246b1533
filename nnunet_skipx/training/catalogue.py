"""What `skipx list` shows: every trainer with the size of its network, its options and what it does."""

import inspect
from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx.nnunet.trainer_name import BASELINE, WITHOUT
from nnunet_skipx.system.text_table import text_table
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.variants import OPTIONS, options_of, trainer_class, trainer_names

STAGES = 6
CHANNELS, HEADS = 1, 3
REFERENCE = {
    "configuration": "3d_fullres",
    "patch_size": [128, 128, 128],
    "stages": STAGES,
    "features_per_stage": [32, 64, 128, 256, 320, 320],
    "input_channels": CHANNELS,
    "output_channels": HEADS,
}


def all_trainers() -> list[str]:
    """nnUNetTrainer, then the package's trainers."""
    return [BASELINE, *trainer_names()]


def single_trainers() -> list[str]:
    """Those that train one data set."""
    return [name for name in all_trainers() if name == BASELINE or not trainer_class(name).domain_trainer]


def catalogue() -> dict[str, Any]:
    """The reference plan, the general options, and one entry per trainer, ready for JSON."""
    return {"reference_plan": REFERENCE, "options": OPTIONS, "trainers": [_entry(name) for name in all_trainers()]}


def catalogue_text() -> str:
    """The catalogue for the terminal."""
    content = catalogue()
    rows = [
        {
            "trainer": entry["name"],
            "parameters": f"{entry['parameters'] / 1e6:.2f} M",
            "own options": ", ".join(f"_{option}" for option in entry["own_options"]) or "-",
            "what it does": entry["description"],
        }
        for entry in content["trainers"]
    ]
    own = [
        f"  {entry['name']}_{option}: {', '.join(f'{key}={value!r}' for key, value in kwargs.items())}"
        for entry in content["trainers"]
        for option, kwargs in entry["own_options"].items()
    ]
    twins = [
        f"  {entry['name']}_{WITHOUT}{name}: {removal}"
        for entry in content["trainers"]
        for name, removal in entry["ingredients"].items()
        if len(entry["ingredients"]) > 1
    ]
    general = [f"  _{option:<10} {text}" for option, text in content["options"].items()]
    return "\n".join(
        [
            "Parameters on nnU-Net's defaults for a 3D patch of 128x128x128: 6 stages of 32, 64, 128, 256, 320, 320 "
            "features,",
            f"kernels of 3, strides of 2, {CHANNELS} input channel, {HEADS} classes with the background.",
            "",
            text_table(rows),
            *(["", "Own options, as arguments of the network:", *own] if own else []),
            "",
            "Twins without one ingredient, at as many parameters; what is there instead:",
            *twins,
            "",
            "General options, appended to a trainer's name in any order, each at most once:",
            *general,
        ]
    )


def _entry(name: str) -> dict[str, Any]:
    trainer = nnUNetTrainer if name == BASELINE else trainer_class(name)
    return {
        "name": name,
        "parameters": count_parameters(trainer),
        "description": description(trainer),
        "own_options": trainer.own_options if issubclass(trainer, SkipTrainer) else {},
        "ingredients": {name: ingredient.removal for name, ingredient in getattr(trainer, "ingredients", {}).items()},
        "options": list(options_of(trainer)),
    }


def description(trainer: type[nnUNetTrainer]) -> str:
    """The first line of the class's own docstring."""
    if trainer is nnUNetTrainer:
        return "nnU-Net's own U-Net: the baseline."
    return inspect.cleandoc(trainer.__doc__ or "").partition("\n")[0]


def count_parameters(trainer: type[nnUNetTrainer]) -> int:
    """Parameters of the trainer's network on the reference plan; nothing is computed."""
    manager = PlansManager(_reference_plans())
    configuration = manager.get_configuration(str(REFERENCE["configuration"]))
    with torch.device("meta"):
        network = trainer.build_network_architecture(manager, configuration, CHANNELS, HEADS, True)
    return sum(parameter.numel() for parameter in network.parameters())


def _reference_plans() -> dict[str, Any]:
    """A plans file as nnU-Net's planner writes it, as far as building a network reads it."""
    arguments = {
        "n_stages": STAGES,
        "features_per_stage": REFERENCE["features_per_stage"],
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [[3, 3, 3]] * STAGES,
        "strides": [[1, 1, 1]] + [[2, 2, 2]] * (STAGES - 1),
        "n_conv_per_stage": [2] * STAGES,
        "n_conv_per_stage_decoder": [2] * (STAGES - 1),
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": arguments,
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    configuration = {
        "patch_size": REFERENCE["patch_size"],
        "spacing": [1.0, 1.0, 1.0],
        "batch_size": 2,
        "architecture": architecture,
    }
    return {"plans_name": "nnUNetPlans", "configurations": {REFERENCE["configuration"]: configuration}}
