"""Grids of tokens follow the plan, and plans without one are refused."""

import pytest

from nnunet_skipx.skips.token_grid import token_grid


def test_grids_follow_the_coarsest_stage_that_is_reduced_by_16_at_most() -> None:
    seven = [(1, 1)] + [(2, 2)] * 6
    grid = token_grid((256, 192), seven)
    assert grid.size == (16, 12)
    assert grid.patches == ((16, 16), (8, 8), (4, 4), (2, 2))
    anisotropic = token_grid((20, 320, 256), [(1, 1, 1), (1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2)])
    assert anisotropic.size == (5, 20, 16)
    assert anisotropic.patches == ((4, 16, 16), (4, 8, 8), (4, 4, 4), (2, 2, 2))
    shallow = token_grid((56, 40), [(1, 1), (2, 2), (2, 2)])
    assert (shallow.size, shallow.patches) == ((14, 10), ((4, 4), (2, 2)))


@pytest.mark.parametrize(
    ("patch_size", "strides", "message"),
    [
        ((40, 40), [(1, 1), (4, 4), (4, 4)], "40x40 voxels cannot be cut into tokens of 16x16"),
        ((16, 16), [(1, 1), (4, 4), (4, 4)], "larger patch, or with fewer stages"),
        ((64, 64), [(32, 32), (2, 2)], "reduces the patch by 32x32"),
        ((64, 64), [(1, 1), (32, 32)], "no skip is finer than a token of 1x1"),
    ],
)
def test_plans_without_a_token_grid_are_refused_with_the_cure(
    patch_size: tuple[int, ...], strides: list[tuple[int, ...]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        token_grid(patch_size, strides)
