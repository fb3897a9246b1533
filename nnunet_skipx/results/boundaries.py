"""How far the boundaries of two masks are apart: edges and their areas as MONAI finds them, distances once."""

from collections.abc import Sequence

import numpy as np
import torch
from monai.metrics.utils import get_mask_edges
from scipy.spatial import KDTree

from nnunet_skipx.results.wanted import reach

LEAF = 32  # of the tree, which is asked once
SHARE = 0.95  # of HD95


def surface_dice(reference: np.ndarray, prediction: np.ndarray, spacing: Sequence[float], nsd_mm: float) -> float:
    """NSD of two masks that both have voxels: the share of both surfaces, by area, within `nsd_mm` of the other.

    As MONAI's `compute_surface_dice` with sub-voxel edges has it, to the last digit of float32. An edge is where a cube
    of voxels is cut, its area that of the surface in it (Nikolov et al. 2018).
    """
    mm = [float(step) for step in spacing]  # MONAI rejects a mix of int and float
    found = get_mask_edges(_closed(prediction), _closed(reference), crop=False, spacing=mm)
    ours, theirs = (edges.numpy() for edges in found[:2])
    areas = [area[torch.from_numpy(edges)] for area, edges in zip(found[2:], (ours, theirs), strict=True)]
    apart = (distances(one, other, mm, 2 * reach(nsd_mm)) for one, other in ((ours, theirs), (theirs, ours)))
    near = [torch.from_numpy(one <= reach(nsd_mm)) for one in apart]
    right = areas[1][near[1]].sum() + areas[0][near[0]].sum()
    return float((right / (areas[1].sum() + areas[0].sum())).float())


def hausdorff_95(reference: np.ndarray, prediction: np.ndarray, spacing: Sequence[float]) -> float:
    """HD95 in mm of two masks that both have voxels, as MONAI's `compute_hausdorff_distance` has it.

    The larger of the 95th percentiles of the distances from the voxels of either boundary to the other.
    """
    found = get_mask_edges(_closed(prediction), _closed(reference), crop=False)
    ours, theirs = (edges.numpy() for edges in found)
    both = (distances(ours, theirs, spacing), distances(theirs, ours, spacing))
    return max(float(torch.quantile(torch.from_numpy(one), SHARE)) for one in both)


def distances(edges: np.ndarray, others: np.ndarray, spacing: Sequence[float], farthest: float = np.inf) -> np.ndarray:
    """From every voxel of one boundary, in the array's order, to the next one of another, in mm, `(n,)` float32.

    Those that both have are 0 apart, and are not looked for: in good segmentations many are such. farthest: what is
    not nearer is infinitely far, which is found sooner.

    >>> line = np.array([True, True, False, False, True])
    >>> distances(line, np.array([True, False, False, False, False]), [2.0]).tolist()
    [0.0, 2.0, 8.0]
    """
    found = np.zeros(int(edges.sum()), np.float32)
    apart = ~others[edges]
    if apart.any():
        scale = np.asarray(spacing, dtype=np.float64)
        tree = KDTree(np.argwhere(others) * scale, leafsize=LEAF)
        found[apart] = tree.query(np.argwhere(edges & ~others) * scale, distance_upper_bound=farthest)[0]
    return found


def _closed(mask: np.ndarray) -> torch.Tensor:
    """With a voxel of background around, so that a mask ends at the border of its array."""
    return torch.from_numpy(np.pad(mask, 1))
