"""Convolutions over maps that nearest-neighbour resizing brought to another size, without the enlarged maps.

A voxel of an enlarged map equals its neighbours within its block, so per axis a kernel of 3 meets few distinct sets of
values: the first voxel of a block reads the block before and its own, the last its own and the next, all others only
their own. Two exact ways follow, both at the small map's size. By phase: one convolution with kernel 2 puts out the
first and the last voxels of blocks of two. By tap: every tap of the kernel is multiplied with the small map by itself;
the products are brought to the voxels that read them, summed over several maps on the way.
"""

import functools
from collections.abc import Sequence
from math import prod
from typing import Literal

import torch
from torch.nn import functional as F

from nnunet_skipx.kernels.convolution import convolution
from nnunet_skipx.kernels.precision import without_autocast

FEW_VOXELS = 1024  # in maps this small the taps cost less than the wider convolution by phase


def nearest_resize(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Resize `(B, C, *spatial)` to `(B, C, *size)`: voxel i copies voxel floor(i * old / new) (SPEC 0.2, "nearest")."""
    for axis, new in enumerate(size, start=2):
        old = x.shape[axis]
        if old % new == 0:
            x = x[(slice(None),) * axis + (slice(None, None, old // new),)] if old != new else x
        elif new % old != 0:
            x = x.index_select(axis, torch.arange(new, device=x.device) * old // new)
    return repeat(x, size)


def repeat(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Repeat the voxels of `(B, C, *spatial)` until the map is `(B, C, *size)`, each size a multiple of the old."""
    old = x.shape[2:]
    if old == tuple(size):
        return x
    blocks = [n for pair in ((n, m // n) for n, m in zip(old, size, strict=True)) for n in pair]
    ones = [n for m in old for n in (m, 1)]
    return x.view(*x.shape[:2], *ones).expand(-1, -1, *blocks).reshape(*x.shape[:2], *size)


def whole_factors(small: Sequence[int], large: Sequence[int]) -> list[int] | None:
    """How many voxels of `large` one of `small` becomes, per axis; None where that is no whole number."""
    if any(m % n for n, m in zip(small, large, strict=True)):
        return None
    return [m // n for n, m in zip(small, large, strict=True)]


def conv_same(x: torch.Tensor, weight: torch.Tensor, padding: Sequence[int] | None = None) -> torch.Tensor:
    """A convolution of `(B, C_in, *spatial)` without bias, padded with zeros to keep the size unless told otherwise."""
    padding = [k // 2 for k in weight.shape[2:]] if padding is None else padding
    return convolution(x, weight, padding=tuple(padding))


def conv_over_enlarged(
    maps: Sequence[torch.Tensor], weights: Sequence[torch.Tensor], size: Sequence[int]
) -> torch.Tensor:
    """Sum over the maps of `conv_same(nearest_resize(x, size), weight)`, `(B, C_out, *size)`.

    Args:
        maps: `(B, C_in, *spatial)` each, finest first; `size` is a multiple of each one's size.
        weights: `(C_out, C_in, *kernel)` each, odd kernels.
        size: in voxels.
    """
    few: list[int] = []
    terms = []
    for n, (x, weight) in enumerate(zip(maps, weights, strict=True)):
        way = route(x.shape[2:], weight.shape[2:], size)
        if way == "taps" and few and whole_factors(x.shape[2:], maps[few[0]].shape[2:]) is None:
            way = "plain"
        if way == "taps":
            few.append(n)
        else:
            terms.append(by_phase(x, weight, size) if way == "phase" else conv_same(nearest_resize(x, size), weight))
    if few:
        terms.append(by_tap([maps[n] for n in few], [weights[n] for n in few], size))
    return functools.reduce(torch.add, terms)


def route(small: Sequence[int], kernel: Sequence[int], size: Sequence[int]) -> Literal["plain", "phase", "taps"]:
    """The cheapest way for a map of size `small`, enlarged to `size`, and a kernel."""
    factors = whole_factors(small, size)
    if factors is None or max(factors) == 1 or any(k not in (1, 3) for k in kernel):
        return "plain"
    return "phase" if max(factors) == 2 and prod(small) > FEW_VOXELS else "taps"


def is_split(kernel: Sequence[int], factors: Sequence[int]) -> list[bool]:
    """The axes along which voxels of a block differ."""
    return [k == 3 and s > 1 for k, s in zip(kernel, factors, strict=True)]


def by_phase(x: torch.Tensor, weight: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """`conv_same(nearest_resize(x, size), weight)` for factors 1 and 2."""
    dim, kernel = x.ndim - 2, weight.shape[2:]
    split = is_split(kernel, [m // n for n, m in zip(x.shape[2:], size, strict=True)])
    for axis in reversed(range(dim)):
        weight = two_phases(weight, weight.ndim - dim + axis) if split[axis] else weight[None]
    padding = [1 if two else k // 2 for two, k in zip(split, kernel, strict=True)]
    y = conv_same(x, weight.flatten(0, dim), padding).unflatten(1, weight.shape[: dim + 1])
    for axis, two in enumerate(split):
        y = interleave(y, y.ndim - dim + axis) if two else y.squeeze(1)
    return repeat(y, size)


def two_phases(weight: torch.Tensor, axis: int) -> torch.Tensor:
    """`(2, *weight)`: the kernels of 2 that the first and last voxel of a block see, from one of 3 along `axis`."""
    before, own, after = weight.split(1, axis)
    return torch.stack([torch.cat([before, own + after], axis), torch.cat([before + own, after], axis)])


def interleave(y: torch.Tensor, axis: int) -> torch.Tensor:
    """First and last voxels `(B, 2, ..., N + 1, ...)`, of which the last ones begin one later, in turn along `axis`."""
    first, last = y.unbind(1)
    axis, count = axis - 1, y.shape[axis] - 1
    pair = [first.narrow(axis, 0, count), last.narrow(axis, 1, count)]
    return torch.stack(pair, axis + 1).flatten(axis, axis + 1)


def by_tap(maps: Sequence[torch.Tensor], weights: Sequence[torch.Tensor], size: Sequence[int]) -> torch.Tensor:
    """Sum of `conv_same(nearest_resize(x, size), weight)`; the first map's size is a multiple of the others'."""
    dim = len(size)
    total: torch.Tensor | None = None
    for x, weight in zip(maps, weights, strict=True):
        taps = products(x, weight, size)
        total = taps if total is None else total + gather(taps, maps[0].shape[2:], total.shape[1 : 1 + dim])
    assert total is not None
    return gather(total, size, [1] * dim).flatten(1, dim + 1)


def products(x: torch.Tensor, weight: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Every tap times `x`, `(B, *taps, C_out, *spatial)`: 3 taps along axes where voxels of a block differ, else 1."""
    dim = len(size)
    split = is_split(weight.shape[2:], [m // n for n, m in zip(x.shape[2:], size, strict=True)])
    for axis in reversed(range(dim)):
        weight = torch.stack(weight.split(1, weight.ndim - dim + axis)) if split[axis] else weight[None]
    return conv_same(x, weight.flatten(0, dim)).unflatten(1, weight.shape[: dim + 1])


def gather(taps: torch.Tensor, size: Sequence[int], counts: Sequence[int]) -> torch.Tensor:
    """Products `(B, *taps, C_out, *spatial)` at a finer `size`, summed along axes where that one has `counts` 1."""
    dim = len(size)
    for axis in reversed(range(dim)):  # the axis whose voxels lie closest first, while the map is small
        if taps.shape[1 + axis] > counts[axis]:
            taps = sum_taps(taps, axis, size[axis] // taps.shape[axis - dim]).unsqueeze(1 + axis)
    return repeat(taps.flatten(1, dim + 1), size).unflatten(1, taps.shape[1 : dim + 2])


def sum_taps(taps: torch.Tensor, axis: int, factor: int) -> torch.Tensor:
    """Sum of the three taps of one axis at the voxels that read them, that axis enlarged by `factor`."""
    before, own, after = taps.unbind(1 + axis)
    behind = [0, 0] * (taps.ndim // 2 - 2 - axis)
    first = rounded_once(F.pad(before, [*behind, 1, -1]), own, after)
    last = rounded_once(before, own, F.pad(after, [*behind, -1, 1]))
    inner = [rounded_once(before, own, after)] * (factor - 2) if factor > 2 else []
    axis -= taps.ndim // 2 - 1
    return torch.stack([first, *inner, last], axis).flatten(axis - 1, axis)


@without_autocast
def rounded_once(*maps: torch.Tensor) -> torch.Tensor:
    """Their sum: torch adds up halves in float32, and so does this, which `+` would round each time."""
    return torch.stack(maps).sum(0)
