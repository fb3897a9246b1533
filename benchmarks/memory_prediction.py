"""Predicted against measured memory at the peak of a training step on the CPU: all networks, five shapes of plans.

    python -m benchmarks.memory_prediction [SHAPE ...]

Prints a table in MB (2^20 bytes) with the error of the prediction; measured in a fresh process each, as `skipx profile`
measures. Takes about a quarter of an hour.
"""

import sys
from dataclasses import dataclass
from typing import Any

import torch
from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props

from nnunet_skipx.discovery import append_to_environment
from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.nnunet.throwaway import Setting
from nnunet_skipx.planning.training_memory import training_memory
from nnunet_skipx.profiling.measure import in_fresh_process, resident_memory
from nnunet_skipx.profiling.steps import training_step
from nnunet_skipx.system.machine import describe_machine
from nnunet_skipx.system.text_table import text_table

TRAINERS = ("", "UTANet", "XUNet", "UDTransNet", "MSAUNet", "U2Net")
AIM = 0.15


@dataclass(frozen=True)
class Shape:
    """What a plan is made of: patch in voxels, spacing in mm, sizes; strides and kernels follow by nnU-Net's rules."""

    patch: tuple[int, ...]
    spacing: tuple[float, ...]
    stages: int
    batch: int
    features: int = 16
    channels: int = 1
    classes: int = 3


SHAPES = {
    "3D isotropic": Shape((64, 64, 64), (1, 1, 1), 5, 2),
    "3D anisotropic": Shape((16, 128, 96), (5, 1, 1), 5, 2),
    "2D": Shape((256, 256), (1, 1), 7, 6, features=32),
    "few stages": Shape((64, 48, 64), (1, 1, 1), 3, 2),
    "other channels": Shape((48, 64, 48), (1, 1, 1), 4, 2, features=24, channels=4, classes=14),
}


def setting(shape: Shape) -> Setting:
    """A data set planned with this shape, on the CPU."""
    dim = len(shape.patch)
    _, strides, kernels, _, _ = get_pool_and_conv_props(shape.spacing, shape.patch, 4, shape.stages - 1)
    norm, conv = f"torch.nn.modules.instancenorm.InstanceNorm{dim}d", f"torch.nn.modules.conv.Conv{dim}d"
    arguments = {
        "n_stages": shape.stages,
        "features_per_stage": [min(shape.features * 2**s, (512, 320)[dim - 2]) for s in range(shape.stages)],
        "conv_op": conv,
        "kernel_sizes": [list(map(int, kernel)) for kernel in kernels],
        "strides": [list(map(int, stride)) for stride in strides],
        "n_conv_per_stage": [2] * shape.stages,
        "n_conv_per_stage_decoder": [2] * (shape.stages - 1),
        "conv_bias": True,
        "norm_op": norm,
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    configuration: dict[str, Any] = {
        "data_identifier": "nnUNetPlans_memory",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": shape.batch,
        "patch_size": list(shape.patch),
        "spacing": list(shape.spacing),
        "normalization_schemes": ["ZScoreNormalization"] * shape.channels,
        "use_mask_for_norm": [False] * shape.channels,
        "batch_dice": False,
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": arguments,
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    }
    plans = {
        "dataset_name": "Dataset998_Memory",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": list(range(dim)),
        "transpose_backward": list(range(dim)),
        "configurations": {"memory": configuration},
    }
    labels = {"background": 0} | {f"class{c}": c for c in range(1, shape.classes)}
    channels = {str(c): "MRI" for c in range(shape.channels)}
    return Setting(plans, "memory", {"labels": labels, "channel_names": channels, "file_ending": ".nii.gz"}, "cpu")


def measure(trainer: str, setting: Setting, threads: int) -> float:
    """MB at the peak of a training step; to be called in a fresh process."""
    torch.set_num_threads(threads)
    trainer_class = find_trainer(trainer)
    return resident_memory(lambda: training_step(trainer_class, setting))


def main(shapes: list[str]) -> None:
    append_to_environment()
    rows = []
    for shape in shapes or SHAPES:
        for name in TRAINERS:
            trainer, order = f"nnUNetTrainer{name}", setting(SHAPES[shape])
            predicted = training_memory(find_trainer(trainer), order).peak / 2**20
            measured = in_fresh_process(measure, trainer, order, torch.get_num_threads())
            error = predicted / measured - 1
            rows.append(
                {
                    "plan": shape,
                    "trainer": trainer,
                    "predicted MB": f"{predicted:.0f}",
                    "measured MB": f"{measured:.0f}",
                    "error": f"{error:+.1%}{'' if abs(error) <= AIM else '  outside 15 %'}",
                }
            )
            print(*rows[-1].values(), file=sys.stderr)
    print(text_table(rows))
    print(f"{describe_machine()}, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main(sys.argv[1:])
