"""Dilation, erosion, opening and closing of many masks at once, each with an operator and an element of its own."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from batchgeneratorsv2.transforms.nnunet import random_binary_operator as theirs
from skimage.morphology import ball, disk
from torch.nn import functional as F

from nnunet_skipx.augmentation.rows import on_device

ERODES = {  # whether each of an operator's steps dilates the background instead
    theirs.binary_dilation_torch: (False,),
    theirs.binary_erosion_torch: (True,),
    theirs.binary_opening_torch: (True, False),
    theirs.binary_closing_torch: (False, True),
}
STEPS = 2  # of an operator, at most


def operated(masks: torch.Tensor, operators: Sequence[Callable[..., Any]], radii: Sequence[float]) -> torch.Tensor:
    """masks (n, *spatial) after an operator each, with a ball or disk of a radius each."""
    elements = on_device(elements_of(radii, masks.ndim - 1), masks.device, torch.bool).float()
    for step in range(STEPS):
        erodes = [(*ERODES[operator], None)[step] for operator in operators]
        if any(erode is not None for erode in erodes):
            columns = [[erode is not None, bool(erode)] for erode in erodes]
            table = on_device(columns, masks.device, torch.bool).view(len(masks), 2, *[1] * (masks.ndim - 1))
            applies, inverts = table.unbind(1)
            masks = torch.where(applies, dilated(masks ^ inverts, elements) ^ inverts, masks)
    return masks


def elements_of(radii: Sequence[float], dimensions: int) -> torch.Tensor:
    """(n, *size): balls or disks, with nothing around those that are smaller than the largest."""
    arrays = [ball(radius, dtype=bool) if dimensions == 3 else disk(radius, dtype=bool) for radius in radii]
    found = [torch.from_numpy(array) for array in arrays]
    largest = max(len(element) for element in found)
    befores = [(largest - 1) // 2 - (len(element) - 1) // 2 for element in found]  # "same" padding rounds down
    return torch.stack(
        [
            F.pad(element, [before, largest - len(element) - before] * dimensions)
            for element, before in zip(found, befores, strict=True)
        ]
    )


def dilated(masks: torch.Tensor, elements: torch.Tensor) -> torch.Tensor:
    """masks (n, *spatial) wherever their element (n, *size) meets them, by Fourier transforms: elements are large."""
    size, axes = elements.shape[1], tuple(range(1, masks.ndim))
    padded = F.pad(masks.float(), [(size - 1) // 2, size // 2] * len(axes))
    spectrum = torch.fft.rfftn(padded, dim=axes)
    spectrum *= torch.fft.rfftn(elements, s=padded.shape[1:], dim=axes).conj()
    meetings: torch.Tensor = torch.fft.irfftn(spectrum, s=padded.shape[1:], dim=axes)
    for axis in axes:
        meetings = meetings.narrow(axis, 0, masks.shape[axis])
    return meetings > 0.5
