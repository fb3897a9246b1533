"""Plans of a shape of one's choice, as nnU-Net's planner would make them: to find out what a network takes on them."""

from dataclasses import dataclass
from typing import Any

from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props

from nnunet_skipx.nnunet.throwaway import Setting


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
