"""What happens to shapes, labels and masks: mirroring, dummy 2D, cleaning up, regions, deep supervision."""

from typing import Any

import torch
from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
from batchgeneratorsv2.transforms.utils.deep_supervision_downsampling import DownsampleSegForDSTransform
from batchgeneratorsv2.transforms.utils.nnunet_masking import MaskImageTransform
from batchgeneratorsv2.transforms.utils.remove_label import RemoveLabelTransform
from batchgeneratorsv2.transforms.utils.seg_to_regions import ConvertSegmentationToRegionsTransform

from nnunet_skipx.augmentation.batch import Batch, Chosen
from nnunet_skipx.augmentation.rows import Rows, on_device


def mirror(transform: MirrorTransform, batch: Batch, chosen: Chosen) -> None:
    """Flip along one axis after the other, all samples that drew it at once."""
    for axis in transform.allowed_axes:
        if samples := [sample for sample, parameters in chosen if axis in parameters["axes"]]:
            rows = Rows(samples, batch.image.device)
            for whole in (batch.image, batch.target):
                rows.put(whole, rows.of(whole).flip(axis + 2))


def mask(transform: MaskImageTransform, batch: Batch, chosen: Chosen) -> None:
    """Put a value into the image wherever the target says that there is nothing."""
    outside = batch.target[:, transform.channel_idx_in_seg] < 0
    for channel in transform.apply_to_channels:
        batch.image[:, channel].masked_fill_(outside, transform.set_outside_to)


def remove_label(transform: RemoveLabelTransform, batch: Batch, chosen: Chosen) -> None:
    """Replace one label by another."""
    channels = transform.segmentation_channels
    for channel in range(batch.target.shape[1]) if channels is None else channels:
        part = batch.target[:, channel]
        part.masked_fill_(part == transform.label_value, transform.set_to)


def regions(transform: ConvertSegmentationToRegionsTransform, batch: Batch, chosen: Chosen) -> None:
    """A boolean channel for each region, true wherever one of its labels is."""
    labels = batch.target[:, transform.channel_in_seg]
    members = [[int(value) for value in region] for region in transform.regions]
    batch.target = torch.stack([sum(labels == value for value in region) > 0 for region in members], dim=1)


def downsample(transform: DownsampleSegForDSTransform, batch: Batch, chosen: Chosen) -> None:
    """The target at the sizes of deep supervision, largest first as the scales say."""
    full, spatial = batch.target, batch.target.shape[2:]
    scales = [scale if isinstance(scale, tuple | list) else [scale] * len(spatial) for scale in transform.ds_scales]
    batch.target = [
        resized(full, [round(length * factor) for length, factor in zip(spatial, scale, strict=True)])
        for scale in scales
    ]


def resized(labels: torch.Tensor, size: list[int]) -> torch.Tensor:
    """labels (B, C, *spatial) at another size, as torch's interpolation "nearest-exact", which takes no integers."""
    for axis, (before, after) in enumerate(zip(labels.shape[2:], size, strict=True), start=2):
        if before % after == 0:  # all axes of this kind in one copy
            step = before // after
            labels = labels.movedim(axis, -1)[..., step // 2 :: step].movedim(-1, axis)
        else:
            centres = torch.arange(after) + 0.5
            labels = labels.index_select(axis, on_device(centres * (before / after), labels.device, torch.long))
    return labels.contiguous()


def to_2d(transform: Any, batch: Batch, chosen: Chosen) -> None:
    """Slices become channels (`Convert3DTo2DTransform`)."""
    batch.image, batch.target = batch.image.flatten(1, 2), batch.target.flatten(1, 2)


def to_3d(channels: tuple[int, int], batch: Batch) -> None:
    """Channels become slices again; channels: of image and target before."""
    image, target = batch.image, batch.target
    batch.image = image.unflatten(1, (channels[0], image.shape[1] // channels[0]))
    batch.target = target.unflatten(1, (channels[1], target.shape[1] // channels[1]))
