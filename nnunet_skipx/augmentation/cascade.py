"""A cascade's own steps: the previous stage's labels become channels of the image, which are then disturbed."""
import torch
from batchgeneratorsv2.transforms.nnunet.random_binary_operator import ApplyRandomBinaryOperatorTransform
from batchgeneratorsv2.transforms.nnunet.remove_connected_components import (
    RemoveRandomConnectedComponentFromOneHotEncodingTransform,
)
from batchgeneratorsv2.transforms.nnunet.seg_to_onehot import MoveSegAsOneHotToDataTransform
from skimage.morphology import ball, disk

from nnunet_skipx.augmentation.batch import Batch, Chosen
from nnunet_skipx.augmentation.components import component_roots


def one_hot(transform: MoveSegAsOneHotToDataTransform, batch: Batch, chosen: Chosen) -> None:
    """A channel per label of the previous stage, appended to the image."""
    source = transform.source_channel_idx
    previous = batch.target[:, source]
    channels = [previous == label for label in transform.all_labels]
    batch.image = torch.cat([batch.image, torch.stack(channels, dim=1).to(batch.image.dtype)], dim=1)
    if transform.remove_channel_from_source:
        batch.target = torch.cat([batch.target[:, :source], batch.target[:, source + 1 :]], dim=1)


def binary_operators(transform: ApplyRandomBinaryOperatorTransform, batch: Batch, chosen: Chosen) -> None:
    """Dilation, erosion, opening or closing of single labels; what a label gains, the others lose."""
    for sample, parameters in chosen:
        image = batch.image[sample]
        names = ("apply_to_channels", "operators", "strel_size")
        for channel, operator, size in zip(*(parameters[name] for name in names), strict=True):
            before = image[channel].bool()
            element = torch.from_numpy((ball if before.ndim == 3 else disk)(size, dtype=bool))
            after = operator(before, element.to(image.device, non_blocking=True))
            for other in transform.channel_idx:
                if other != channel:
                    image[other].masked_fill_(after & ~before, 0)
            image[channel] = after.to(image.dtype)


def remove_component(
    transform: RemoveRandomConnectedComponentFromOneHotEncodingTransform, batch: Batch, chosen: Chosen
) -> None:
    """One of a label's connected components vanishes, each as likely as another, those that are large excepted.

    Raises NotImplementedError for a setting that nnU-Net does not use.
    """
    if transform.fill_with_other_class_p:
        raise NotImplementedError("a cascade that gives removed components to another class does not run on the "
                                  "device: use the trainer without _gpuaug")  # fmt: skip
    for sample, parameters in chosen:
        for channel in parameters["apply_to_channels"]:
            label = batch.image[sample, channel]
            label.masked_fill_(one_component(label.bool(), transform.dont_do_if_covers_more_than_x_percent, batch), 0)


def one_component(mask: torch.Tensor, largest_share: float, batch: Batch) -> torch.Tensor:
    """One connected component of a mask (*spatial), drawn from those smaller than a share of it; empty without any."""
    roots = component_roots(mask[None])[0]
    flat = roots.clamp(min=0).flatten()
    sizes = torch.zeros(flat.numel(), device=mask.device).scatter_add_(0, flat, mask.flatten().float())
    allowed = (sizes > 0) & (sizes < largest_share * mask.numel())
    lots = torch.rand(flat.numel(), generator=batch.noise, device=mask.device)
    drawn = torch.where(allowed, lots, -1).argmax()
    return mask & (roots == drawn) & allowed.any()
