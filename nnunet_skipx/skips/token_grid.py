"""The grid of tokens that all skips of a network are brought to, per axis, from the plan."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

COARSEST_STRIDE = 16
FEWEST_TOKENS = 4


@dataclass(frozen=True)
class TokenGrid:
    """Tokens per axis for the plan's patch, and per skip (stage 0 first) the voxels per axis that make one token.

    Skips with the grid's own stride, or a coarser one, are not listed.
    """

    size: tuple[int, ...]
    patches: tuple[tuple[int, ...], ...]

    @property
    def tokens(self) -> int:
        """Tokens in the grid."""
        return math.prod(self.size)


def token_grid(patch_size: Sequence[int], strides: Sequence[Sequence[int]]) -> TokenGrid:
    """The grid of the coarsest stage, bottleneck included, that is reduced by 16 at most along every axis.

    UDTransNet has the grid of its bottleneck, at stride 16, and the four skips that are finer take part. So they do
    here: a skip with the grid's own stride has one voxel per token and stays out, like coarser ones.

    Args:
        patch_size: the plan's patch in voxels.
        strides: strides of all encoder stages, stage 0 first, the bottleneck last.

    Raises:
        ValueError: no such stage, no finer skip, a patch that its stride does not divide, or fewer than 4 tokens.
    """
    totals, total = [], (1,) * len(patch_size)
    for stride in strides:
        total = tuple(int(t * s) for t, s in zip(total, stride, strict=True))
        totals.append(total)
    fine_enough = [t for t in totals if max(t) <= COARSEST_STRIDE]
    if not fine_enough:
        raise ValueError(
            f"the first stage reduces the patch by {times(totals[0])}, but tokens stand for {COARSEST_STRIDE} voxels "
            "per axis at most: give stage 0 the stride 1, as nnU-Net's planner does"
        )
    stride = fine_enough[-1]
    if any(n % s for n, s in zip(patch_size, stride, strict=True)):
        raise ValueError(
            f"a patch of {times(patch_size)} voxels cannot be cut into tokens of {times(stride)} voxels: choose a "
            "patch_size divisible by the strides of the plan, as nnU-Net's planner does"
        )
    size = tuple(int(n) // s for n, s in zip(patch_size, stride, strict=True))
    if math.prod(size) < FEWEST_TOKENS:
        raise ValueError(
            f"a patch of {times(patch_size)} voxels in tokens of {times(stride)} voxels gives {times(size)} tokens, "
            f"but attention needs {FEWEST_TOKENS}: plan with a larger patch, or with fewer stages"
        )
    skips = [t for t in totals[: len(fine_enough)] if t != stride]
    if not skips:
        raise ValueError(
            f"the plan's strides {[list(s) for s in strides]} leave no stage between full resolution and a reduction "
            f"by {COARSEST_STRIDE}, so no skip is finer than a token of {times(stride)} voxels: reduce in smaller steps"
        )
    return TokenGrid(size, tuple(tuple(s // t for s, t in zip(stride, skip, strict=True)) for skip in skips))


def times(numbers: Sequence[int]) -> str:
    """`16x24x16` for an error message."""
    return "x".join(str(int(n)) for n in numbers)
