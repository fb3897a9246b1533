"""A cascade's own steps: the previous stage's labels become channels of the image, which are then disturbed."""

from collections.abc import Callable
from typing import Any

import torch
from batchgeneratorsv2.transforms.nnunet.random_binary_operator import ApplyRandomBinaryOperatorTransform
from batchgeneratorsv2.transforms.nnunet.remove_connected_components import (
    RemoveRandomConnectedComponentFromOneHotEncodingTransform,
)
from batchgeneratorsv2.transforms.nnunet.seg_to_onehot import MoveSegAsOneHotToDataTransform

from nnunet_skipx.augmentation.batch import Batch, Chosen
from nnunet_skipx.augmentation.components import component_roots
from nnunet_skipx.augmentation.morphology import operated
from nnunet_skipx.augmentation.rows import Rows

VOXELS = 2**21  # whose components are looked for at once, each with some 100 bytes


def one_hot(transform: MoveSegAsOneHotToDataTransform, batch: Batch, chosen: Chosen) -> None:
    """A channel per label of the previous stage, appended to the image."""
    source = transform.source_channel_idx
    previous = batch.target[:, source]
    channels = [previous == label for label in transform.all_labels]
    batch.image = torch.cat([batch.image, torch.stack(channels, dim=1).to(batch.image.dtype)], dim=1)
    if transform.remove_channel_from_source:
        batch.target = torch.cat([batch.target[:, :source], batch.target[:, source + 1 :]], dim=1)


def binary_operators(transform: ApplyRandomBinaryOperatorTransform, batch: Batch, chosen: Chosen) -> None:
    """Dilation, erosion, opening or closing of single labels; what a label gains, the others lose.

    The first label of all samples comes first, then the second that they drew, and so on.
    """
    names = ("apply_to_channels", "operators", "strel_size")
    waiting = {sample: list(zip(*(parameters[name] for name in names), strict=True)) for sample, parameters in chosen}
    while waiting := {sample: operations for sample, operations in waiting.items() if operations}:
        operate(transform, batch, {sample: operations.pop(0) for sample, operations in waiting.items()})


def operate(
    transform: ApplyRandomBinaryOperatorTransform, batch: Batch, drawn: dict[int, tuple[int, Callable[..., Any], float]]
) -> None:
    """One channel of each sample that drew channel, operator and radius."""
    flat, labels = batch.image.flatten(0, 1), sorted(c % batch.image.shape[1] for c in transform.channel_idx)
    own, operators, radii = zip(*drawn.values(), strict=True)
    first = [sample * batch.image.shape[1] for sample in drawn]
    one = Rows([start + channel % batch.image.shape[1] for start, channel in zip(first, own, strict=True)], flat.device)
    before = one.of(flat).bool()
    after = operated(before, operators, radii)
    with Rows([start + channel for start in first for channel in labels], flat.device).changing(flat) as all_labels:
        all_labels.unflatten(0, (len(drawn), -1)).masked_fill_((after & ~before)[:, None], 0)
    one.put(flat, after.to(flat.dtype))


def remove_component(
    transform: RemoveRandomConnectedComponentFromOneHotEncodingTransform, batch: Batch, chosen: Chosen
) -> None:
    """One of a label's connected components vanishes, each as likely as another, those that are large excepted.

    Raises NotImplementedError for a setting that nnU-Net does not use.
    """
    if transform.fill_with_other_class_p:
        raise NotImplementedError(
            "a cascade that gives removed components to another class does not run on the "
            "device: use the trainer without _gpuaug"
        )
    channels = batch.image.shape[1]
    drawn = sorted(
        sample * channels + channel % channels
        for sample, parameters in chosen
        for channel in parameters["apply_to_channels"]
    )
    flat = batch.image.flatten(0, 1)
    together = max(1, VOXELS // flat[0].numel())
    for start in range(0, len(drawn), together):
        with Rows(drawn[start : start + together], flat.device).changing(flat) as labels:
            lots = torch.rand(labels.flatten(1).shape, generator=batch.noise, device=labels.device)
            gone = one_component(labels.bool(), transform.dont_do_if_covers_more_than_x_percent, lots)
            labels.masked_fill_(gone, 0)


def one_component(masks: torch.Tensor, largest_share: float, lots: torch.Tensor) -> torch.Tensor:
    """One connected component of each mask (n, *spatial), of those smaller than a share of it; empty without any.

    lots: (n, voxels), random numbers from 0 to 1.
    """
    roots = component_roots(masks).flatten(1)
    sizes = torch.zeros_like(lots).scatter_add_(1, roots.clamp(min=0), masks.flatten(1).float())
    allowed = (sizes > 0) & (sizes < largest_share * lots.shape[1])
    drawn = torch.where(allowed, lots, -1).argmax(1, keepdim=True)
    return ((roots == drawn) & allowed.any(1, keepdim=True)).view(masks.shape)
