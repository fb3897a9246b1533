"""A stock stage whose first convolution sees more maps than nnU-Net gives it.

A convolution over a concatenation is the sum of one convolution per part. So the stage keeps its own convolution, under
its stock name and for its stock input, and a mechanism adds what its convolutions make of the other maps.
"""

from typing import Any

import torch
from dynamic_network_architectures.building_blocks.residual import BasicBlockD, BottleneckD
from dynamic_network_architectures.building_blocks.simple_conv_blocks import ConvDropoutNormReLU
from torch import nn

from nnunet_skipx.kernels.convolution import convolution


def first_conv_block(stage: nn.Module) -> ConvDropoutNormReLU:
    """The block of a stock encoder or decoder stage that its input meets first, on its main path."""
    for module in stage.modules():
        if isinstance(module, ConvDropoutNormReLU):
            return module
    raise ValueError(f"{type(stage).__name__} is no stage of nnU-Net's plain or residual networks")


def run_stage(stage: nn.Module, x: torch.Tensor, extra: torch.Tensor) -> torch.Tensor:
    """`stage(x)` with `extra` added to what its first convolution puts out, ahead of dropout, norm and activation.

    Args:
        stage: a stage of nnU-Net's plain or residual encoder, or of its decoder.
        x: the stage's stock input, `(B, C_in, *spatial)`.
        extra: `(B, C_out, *spatial of the first convolution's output)`.
    """
    first, rest = split(stage)
    y = run_residual_block(first, x, extra) if isinstance(first, (BasicBlockD, BottleneckD)) else run(first, x, extra)
    for block in rest:
        y = block(y)
    return y


def run_stage_over(stage: nn.Module, x: torch.Tensor, further: torch.Tensor) -> torch.Tensor:
    """`stage(x)` where x has more channels than the stage's first convolution, which sees the last ones by `further`.

    One convolution with the kernels side by side: where the other maps have the size of the stock input, that is less
    work than a second one whose output is added.

    Args:
        stage: a stage of nnU-Net's decoder or of its plain encoder.
        x: the stage's stock input and further maps, `(B, C_in + C_further, *spatial)`.
        further: kernels `(C_out, C_further, *kernel)`.
    """
    first, rest = split(stage)
    assert isinstance(first, ConvDropoutNormReLU)
    conv = first.conv
    y = convolution(x, torch.cat([conv.weight, further], 1), conv.bias, conv.stride, conv.padding)
    for module in (*first.all_modules[1:], *rest):
        y = module(y)
    return y


def split(stage: nn.Module) -> tuple[nn.Module, list[nn.Module]]:
    """The first block of a stage, and the blocks behind it in order."""
    rest: list[nn.Module] = []
    block = stage
    while not isinstance(block, (ConvDropoutNormReLU, BasicBlockD, BottleneckD)):
        block, *behind = block.children() if isinstance(block, nn.Sequential) else blocks_of(block)
        rest = behind + rest
    return block, rest


def blocks_of(stage: Any) -> list[nn.Module]:
    """The blocks of StackedConvBlocks or StackedResidualBlocks."""
    return list(stage.convs if hasattr(stage, "convs") else stage.blocks)


def run(block: ConvDropoutNormReLU, x: torch.Tensor, extra: torch.Tensor) -> torch.Tensor:
    """A block with `extra` added behind its convolution."""
    y = block.conv(x)
    y += extra
    for module in block.all_modules[1:]:
        y = module(y)
    return y


def run_residual_block(block: BasicBlockD | BottleneckD, x: torch.Tensor, extra: torch.Tensor) -> torch.Tensor:
    """A residual block with `extra` added behind its first convolution; the residual path sees the stock input only."""
    residual = block.skip(x)
    y = run(block.conv1, x, extra)
    y = block.conv2(y) if isinstance(block, BasicBlockD) else block.conv3(block.conv2(y))
    if block.apply_stochastic_depth:
        y = block.drop_path(y)
    if block.apply_se:
        y = block.squeeze_excitation(y)
    y += residual
    return block.nonlin2(y) if isinstance(block, BasicBlockD) else block.nonlin3(y)
