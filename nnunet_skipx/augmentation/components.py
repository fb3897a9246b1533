"""Connected components on any device, without the host waiting for it."""

import torch
from torch.nn import functional as F

EXACT_IN_FLOAT32 = 2**24


def component_roots(mask: torch.Tensor) -> torch.Tensor:
    """For each voxel of masks (N, *spatial) the number of a voxel of its component, the same in all of it; else -1.

    Voxels that share a corner are connected, as batchgeneratorsv2 counts. Every round, whatever has one root takes the
    highest root that it touches (hooking and pointer jumping, Shiloach and Vishkin 1982); what is not finished halves
    at least. A GPU does all rounds that any mask could need, because asking it for more would make the host wait.
    """
    voxels = mask[0].numel()
    assert voxels < EXACT_IN_FLOAT32
    pool = F.max_pool3d if mask.ndim == 4 else F.max_pool2d
    numbers = torch.arange(voxels, device=mask.device).repeat(len(mask), 1)
    roots = torch.where(mask, numbers.view(mask.shape), -1)
    for _ in range(voxels.bit_length()):
        touched = torch.where(mask, pool(roots[:, None].float(), 3, stride=1, padding=1)[:, 0].long(), -1)
        own, higher = (x.clamp(min=0).flatten(1) for x in (roots, touched))  # a 0 too many changes no maximum
        parents = highest_parents(numbers.scatter_reduce(1, own, higher, "amax"))
        before, roots = roots, torch.where(mask, parents.gather(1, own).view(mask.shape), -1)
        if stable(before, roots):
            break
    return roots


def highest_parents(parents: torch.Tensor) -> torch.Tensor:
    """parents (N, voxels), each at most as high as its own parent, followed to the top."""
    for _ in range(parents.shape[1].bit_length()):
        before, parents = parents, parents.gather(1, parents)
        if stable(before, parents):
            break
    return parents


def stable(before: torch.Tensor, after: torch.Tensor) -> bool:
    """Whether nothing changed, which a GPU is not asked."""
    return before.device.type == "cpu" and torch.equal(before, after)
