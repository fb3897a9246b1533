"""Architecture arguments as nnU-Net's planners choose them for a patch, without data or plans."""

from collections.abc import Sequence
from typing import Any

from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props
from torch import nn

SMALLEST_MAP = 4  # voxels along an axis, below which nnU-Net does not halve it
FEATURES, MOST_FEATURES = 32, {2: 512, 3: 320}
RESIDUAL_BLOCKS = (1, 3, 4, 6)  # of nnU-Net's ResEnc presets; 6 in all deeper stages
DEFAULT_PATCH = {2: (256, 256), 3: (128, 128, 128)}
CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
NORMS = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}


def planned_like(patch: Sequence[int], spacing: Sequence[float], residual: bool) -> dict[str, Any]:
    """Arguments of a stock network for a patch in voxels at a spacing in mm, by nnU-Net's rules.

    residual: those of ResidualEncoderUNet instead of PlainConvUNet.
    """
    dims = len(patch)
    _, strides, kernels, _, _ = get_pool_and_conv_props(spacing, patch, SMALLEST_MAP, 999999)
    stages = len(strides)
    if residual:
        blocks = [*RESIDUAL_BLOCKS, *[RESIDUAL_BLOCKS[-1]] * stages][:stages]
        depth = {"n_blocks_per_stage": blocks, "n_conv_per_stage_decoder": [1] * (stages - 1)}
    else:
        depth = {"n_conv_per_stage": [2] * stages, "n_conv_per_stage_decoder": [2] * (stages - 1)}
    return depth | {
        "n_stages": stages,
        "features_per_stage": [min(FEATURES * 2**stage, MOST_FEATURES[dims]) for stage in range(stages)],
        "conv_op": CONVOLUTIONS[dims],
        "kernel_sizes": [[int(k) for k in kernel] for kernel in kernels],
        "strides": [[int(s) for s in stride] for stride in strides],
        "conv_bias": True,
        "norm_op": NORMS[dims],
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": nn.LeakyReLU,
        "nonlin_kwargs": {"inplace": True},
    }
