"""On real images gates see about as much as with batch norm, and much less where they pool behind instance norm."""

from pathlib import Path

import pytest
from torch import nn

from benchmarks.gate_spread import NETWORKS, PLANS, images_of, measured

HIPPOCAMPUS = Path(__file__).parents[3] / "shared" / "data" / "Task04_Hippocampus"
SEES_LESS = {"UTANet: probabilities", "MSA-UNet: channel weights"}


@pytest.mark.skipif(not HIPPOCAMPUS.is_dir(), reason="no MSD Task04 beside this checkout (../shared/data)")
@pytest.mark.parametrize("name", sorted(SEES_LESS))
def test_the_spread_between_images_is_that_of_batch_norm(name: str) -> None:
    shape = PLANS["2D 56x40, 4 stages"]
    network: type[nn.Module] = NETWORKS[name][0]
    batch, behind, built = measured(network, NETWORKS[name][1], shape, images_of(HIPPOCAMPUS, shape))
    assert 0.5 < built / batch < 2
    assert behind < built / 2
    if name.startswith("UTANet"):
        assert behind < 0.25 * batch
