"""Maps beside enlarged blocks equal what the enlarged map says, wherever they lie in memory."""

import pytest
import torch
from torch.nn import functional as F

from nnunet_skipx.kernels.blocks import add_blocks


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("layout", ["first", "last"])
def test_blocks_are_added_as_their_enlargement_is(layout: str, weighed: bool) -> None:
    x, blocks = torch.randn(2, 3, 4, 6, 8), torch.randn(2, 3, 2, 3, 1)
    weights = torch.rand(2, 3) if weighed else None
    expected = x + F.interpolate(blocks, size=x.shape[2:])
    expected = expected if weights is None else expected * weights[..., None, None, None]
    if layout == "last":
        x, blocks = x.to(memory_format=torch.channels_last_3d), blocks.permute(0, 2, 3, 4, 1).contiguous().movedim(4, 1)
    torch.testing.assert_close(add_blocks(x, blocks, weights), expected)
