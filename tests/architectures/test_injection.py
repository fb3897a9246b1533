"""A stage that sees more maps is the stage that it was, wherever its blocks are nested."""

import pytest
import torch
from dynamic_network_architectures.building_blocks.residual import BasicBlockD, BottleneckD, StackedResidualBlocks
from dynamic_network_architectures.building_blocks.simple_conv_blocks import StackedConvBlocks
from torch import nn

from nnunet_skipx.architectures.injection import run_stage


def blocks(channels_in: int, count: int) -> StackedConvBlocks:
    return StackedConvBlocks(count, nn.Conv2d, channels_in, 4, 3, 1, norm_op=nn.InstanceNorm2d, nonlin=nn.ReLU)


def test_nested_blocks_run_in_their_order() -> None:
    stage = nn.Sequential(nn.Sequential(blocks(2, 2), blocks(4, 1)), blocks(4, 2)).double()
    x = torch.randn(2, 2, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(run_stage(stage, x, torch.zeros(2, 4, 8, 8, dtype=torch.float64)), stage(x))


@pytest.mark.parametrize("block", [BasicBlockD, BottleneckD])
def test_squeeze_and_excitation_stays_in_its_place(block: type) -> None:
    stage = StackedResidualBlocks(
        2,
        nn.Conv2d,
        2,
        8,
        3,
        1,
        norm_op=nn.InstanceNorm2d,
        nonlin=nn.ReLU,
        block=block,
        bottleneck_channels=4,
        squeeze_excitation=True,
    ).double()
    x = torch.randn(2, 2, 8, 8, dtype=torch.float64)
    first = 8 if block is BasicBlockD else 4
    torch.testing.assert_close(run_stage(stage, x, torch.zeros(2, first, 8, 8, dtype=torch.float64)), stage(x))
