"""Parameters of our trainers' networks on one stated plan."""

from typing import Any

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx.counting import built_to_count, parameters
from nnunet_skipx.nnunet.trainer_name import BASELINE
from nnunet_skipx.training.variants import trainer_class

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


def count_parameters(name: str) -> int:
    """Parameters of a trainer's network on the reference plan; nothing is computed."""
    trainer = nnUNetTrainer if name == BASELINE else trainer_class(name)
    manager = PlansManager(_reference_plans())
    configuration = manager.get_configuration(str(REFERENCE["configuration"]))
    with built_to_count():
        network = trainer.build_network_architecture(manager, configuration, CHANNELS, HEADS, True)
    return parameters(network)


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
