"""Architecture arguments as nnU-Net's planner makes them, for networks small enough to test on a CPU."""

from dataclasses import dataclass
from typing import Any

from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props
from torch import nn


@dataclass(frozen=True)
class PlanShape:
    """A patch in voxels, a spacing in mm and a number of stages; strides and kernels follow by nnU-Net's rules.

    planned_for: the patch whose strides and kernels these are, where the tests take a smaller one.
    """

    patch: tuple[int, ...]
    spacing: tuple[float, ...]
    stages: int
    features: int = 4
    planned_for: tuple[int, ...] | None = None

    def strides_and_kernels(self) -> tuple[list[list[int]], list[list[int]]]:
        _, strides, kernels, _, _ = get_pool_and_conv_props(
            self.spacing, self.planned_for or self.patch, 4, self.stages - 1
        )
        dim = len(self.patch)
        strides = [list(map(int, s)) for s in strides][: self.stages]
        kernels = [list(map(int, k)) for k in kernels][: self.stages]
        missing = self.stages - len(strides)  # the patch halves no further: stages at the same size
        return strides + [[1] * dim] * missing, kernels + [[3] * dim] * missing

    def architecture(self, norm: str = "instance", residual: bool = False) -> dict[str, Any]:
        """The keyword arguments of a stock network for this shape."""
        dim = len(self.patch)
        strides, kernels = self.strides_and_kernels()
        norms = {"instance": (nn.InstanceNorm2d, nn.InstanceNorm3d), "batch": (nn.BatchNorm2d, nn.BatchNorm3d)}
        blocks = {"n_blocks_per_stage" if residual else "n_conv_per_stage": [2] * self.stages}
        return blocks | {
            "n_stages": self.stages,
            "features_per_stage": [min(self.features * 2**stage, 10 * self.features) for stage in range(self.stages)],
            "conv_op": (nn.Conv2d, nn.Conv3d)[dim - 2],
            "kernel_sizes": kernels,
            "strides": strides,
            "n_conv_per_stage_decoder": [1] * (self.stages - 1),
            "conv_bias": True,
            "norm_op": norms[norm][dim - 2],
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "nonlin": nn.LeakyReLU,
            "nonlin_kwargs": {"inplace": True},
        }


SHAPES: dict[str, PlanShape] = {
    "2d-3-stages": PlanShape((56, 40), (1, 1), 3),
    "2d-8-stages": PlanShape((64, 64), (1, 1), 8),
    "3d-40x56x40": PlanShape((40, 56, 40), (1, 1, 1), 4),
    "3d-anisotropic-20x320x256": PlanShape((20, 128, 128), (5, 0.8, 0.8), 7, 2, planned_for=(20, 320, 256)),
    "3d-3-stages": PlanShape((16, 24, 16), (1, 1, 1), 3),
}

# As nnU-Net plans real data sets, with its own widths: at toy widths a mechanism of fixed size outweighs the U-Net. And
# whether the encoder is a residual one.
PLANNED: dict[str, tuple[PlanShape, bool]] = {
    "2d-hippocampus": (PlanShape((56, 40), (1, 1), 4, features=32), False),
    "2d-3-stages-residual": (PlanShape((48, 48), (1, 1), 3, features=32), True),
    "2d-256": (PlanShape((256, 256), (1, 1), 6, features=32), False),
    "2d-320x256-residual": (PlanShape((320, 256), (1, 1), 7, features=32), True),
    "2d-512": (PlanShape((512, 512), (1, 1), 8, features=32), False),
    "3d-hippocampus": (PlanShape((40, 56, 40), (1, 1, 1), 4, features=32), False),
    "3d-hippocampus-demo": (PlanShape((40, 56, 40), (1, 1, 1), 4, features=8), False),
    "3d-hippocampus-demo-residual": (PlanShape((40, 56, 40), (1, 1, 1), 4, features=8), True),
    "3d-3-stages": (PlanShape((16, 48, 48), (3, 1, 1), 3, features=32), False),
    "3d-64-residual": (PlanShape((64, 64, 64), (1, 1, 1), 5, features=32), True),
    "3d-128": (PlanShape((128, 128, 128), (1, 1, 1), 6, features=32), False),
    "3d-128-residual": (PlanShape((128, 128, 128), (1, 1, 1), 6, features=32), True),
    "3d-20x320x256": (PlanShape((20, 320, 256), (5, 0.8, 0.8), 7, features=32), False),
}


def plans(shape: PlanShape, batch_size: int = 2, **architecture: Any) -> dict[str, Any]:
    """A minimal plans file with one configuration ("test") of this shape."""
    arguments = shape.architecture(**architecture)
    types = ("conv_op", "norm_op", "nonlin")
    named = {k: f"{v.__module__}.{v.__qualname__}" if k in types else v for k, v in arguments.items()}
    network = "ResidualEncoderUNet" if architecture.get("residual") else "PlainConvUNet"
    configuration = {
        "data_identifier": "nnUNetPlans_test",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": batch_size,
        "patch_size": list(shape.patch),
        "spacing": list(shape.spacing),
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
        "batch_dice": False,
        "architecture": {
            "network_class_name": f"dynamic_network_architectures.architectures.unet.{network}",
            "arch_kwargs": named | {"dropout_op": None, "dropout_op_kwargs": None},
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    }
    return {
        "dataset_name": "Dataset998_Test",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": list(range(len(shape.patch))),
        "transpose_backward": list(range(len(shape.patch))),
        "configurations": {"test": configuration},
        "continue_training": False,
    }


def dataset_json(classes: int = 3, channels: int = 1) -> dict[str, Any]:
    """A dataset.json with `classes` labels (background included) and `channels` MRI channels."""
    labels = {"background": 0} | {f"class{c}": c for c in range(1, classes)}
    return {"labels": labels, "channel_names": {str(c): "MRI" for c in range(channels)}, "file_ending": ".nii.gz"}
