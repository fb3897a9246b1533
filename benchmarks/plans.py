"""The two plans on which costs are measured, as nnU-Net makes them for these patches, and inputs for mechanisms."""

from typing import Any

import torch
from torch import nn

from nnunet_skipx.skips.blocks import BlockOps

# patch, batch and features per stage; stages end where a side would fall below 4 voxels
PLANS = {
    "2D 256x256, batch 4": ((256, 256), 4, (32, 64, 128, 256, 512, 512, 512)),
    "3D 64x64x64, batch 2": ((64, 64, 64), 2, (32, 64, 128, 256, 320)),
}


def op_types(dim: int) -> dict[str, Any]:
    """nnU-Net's defaults."""
    return {
        "conv_op": (nn.Conv2d, nn.Conv3d)[dim - 2],
        "norm_op": (nn.InstanceNorm2d, nn.InstanceNorm3d)[dim - 2],
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": nn.LeakyReLU,
        "nonlin_kwargs": {"inplace": True},
    }


def block_ops(plan: str) -> BlockOps:
    """The op types as a mechanism takes them."""
    return BlockOps(*op_types(len(PLANS[plan][0])).values())


def architecture_arguments(plan: str) -> dict[str, Any]:
    """The keyword arguments of a stock network on this plan."""
    patch, _, features = PLANS[plan]
    dim, stages = len(patch), len(features)
    return op_types(dim) | {
        "n_stages": stages,
        "features_per_stage": features,
        "kernel_sizes": [[3] * dim] * stages,
        "strides": [[1] * dim] + [[2] * dim] * (stages - 1),
        "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [2] * (stages - 1),
        "conv_bias": True,
    }


def maps(plan: str) -> list[torch.Tensor]:
    """Random maps with the shapes of the encoder's, bottleneck included; they require gradients."""
    patch, batch, features = PLANS[plan]
    return [
        torch.randn(batch, channels, *(size // 2**stage for size in patch), requires_grad=True)
        for stage, channels in enumerate(features)
    ]
