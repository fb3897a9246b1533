"""No network calls kernels that are slow on a GPU, or launches many more of them than it did; no GPU is needed.

`python -m tests.guards.test_gpu_kernels` prints LAUNCHES anew.
"""
import pytest
import torch

from nnunet_skipx.skips import patch_embedding, pointwise, voxel_sums
from tests.guards.recorded_step import SIZES, recorded_step, variants

SLACK = 1.1
LAUNCHES: dict[str, tuple[int, int]] = {  # of a step in 3D and in 2D, loss and optimiser apart
    "UTANet": (1049, 1520),
    "XUNet": (1033, 1289),
    "XUNet_attn": (1478, 2066),
    "UDTransNet": (2485, 2705),
    "UDTransNet_dras": (2653, 2873),
    "UDTransNet_published": (2505, 2725),
    "MSAUNet": (833, 1108),
    "MSAUNet_alllevels": (1301, 1802),
    "MSAUNet_antialias": (1261, 1705),
    "U2Net": (3281, 4495),
    "U2Net_source": (2982, 4078),
    "U2Net_full": (1445, 1990),
    "U2Net_series": (1791, 2464),
    "U2Net_parallel": (1536, 2115),
}


def check(name: str, size: str) -> None:
    step = recorded_step(name, size)
    assert not step.slow
    recorded = LAUNCHES[name][list(SIZES).index(size)]
    assert step.launches.total() <= SLACK * recorded, step.launches.most_common(10)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", variants())
def test_no_kernel_is_slow_and_no_more_are_launched(name: str, size: str) -> None:
    check(name, size)


@pytest.mark.parametrize(("name", "size"), [("UTANet", "3d"), ("MSAUNet", "2d"), ("U2Net", "3d"), ("UDTransNet", "2d")])
def test_sums_over_voxels_at_once_are_seen(name: str, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voxel_sums, "worth_cutting", lambda x: False)
    with pytest.raises(AssertionError, match="mm of"):
        check(name, size)


@pytest.mark.parametrize("size", SIZES)
def test_convolutions_of_large_patches_are_seen(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch_embedding, "LARGEST_CONVOLVED", 16)
    with pytest.raises(AssertionError, match="kernel and stride"):
        check("UDTransNet", size)


def test_a_loop_over_pieces_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_by_one(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        pieces = zip(a.split(voxel_sums.PIECE, 2), b.split(voxel_sums.PIECE, 2), strict=True)
        return sum(voxel_sums.product(x, y.mT) for x, y in pieces)

    monkeypatch.setattr(pointwise, "sum_over_voxels", one_by_one)
    with pytest.raises(AssertionError, match="'bmm'"):
        check("UTANet", "3d")


if __name__ == "__main__":
    for variant in variants():
        print(f'    "{variant}": {tuple(recorded_step(variant, size).launches.total() for size in SIZES)},')
