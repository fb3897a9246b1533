"""What a norm over each image takes from numbers that are pooled over it, and how a gate gets it back.

Instance norm gives every channel of every image the same mean and variance. A gate that looks at a map's means behind
it sees almost the same numbers in all images, where batch norm, the norm of most sources, leaves an image above or
below the others. `docs/norms_and_gates.md` has the measurements.
"""

from typing import Any

import torch
from torch import distributed, nn
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.utils.checkpoint import checkpoint

MOMENTUM = 0.1  # of running means over images, as in batch norm


def normalises_each_image(norm_op: type[nn.Module] | None) -> bool:
    """Whether a norm takes its statistics over one image, as instance norm does, and not over a batch."""
    return norm_op is not None and issubclass(norm_op, (_InstanceNorm, nn.GroupNorm))


class RunningMean(nn.Module):
    """Mean over images of numbers `(B, *shape)`: running in training, over all processes, and frozen in evaluation.

    It is `start` until the first batch. The first batches count alike, later ones with `MOMENTUM`. A batch that is not
    finite does not count: a step that the GradScaler skips must not stay in the mean.
    """

    value: torch.Tensor
    batches: torch.Tensor

    def __init__(self, start: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("value", start)
        self.register_buffer("batches", torch.zeros((), dtype=torch.long))

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """The mean, `shape`, this batch included; no gradient."""
        if self.training:
            with torch.no_grad():
                self.take(numbers)
        return self.value.clone()  # the next batch changes it in place, maybe before this one's backward

    def take(self, numbers: torch.Tensor) -> None:
        """Count a batch."""
        mean = mean_over_processes(numbers.to(self.value.dtype))
        finite = mean.isfinite().all()
        self.batches += finite
        weight = (1 / self.batches.clamp_min(1)).clamp_min(MOMENTUM) * finite
        self.value.lerp_(torch.where(finite, mean, self.value), weight.to(self.value.dtype))


def mean_over_processes(numbers: torch.Tensor) -> torch.Tensor:
    """Mean over the first axis, over the images of all processes that train together."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return numbers.mean(0)
    total = torch.cat([numbers.sum(0).flatten(), numbers.new_full((1,), len(numbers))])
    distributed.all_reduce(total)
    return (total[:-1] / total[-1]).view(numbers.shape[1:])


class Amplified(nn.Module):
    """Numbers `(B, *shape)` pooled over each image, their deviations from the mean over images times `gain`."""

    def __init__(self, gain: float, *shape: int) -> None:
        super().__init__()
        self.gain = gain
        self.mean = RunningMean(torch.zeros(shape))

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        """`mean + gain (pooled - mean)`, `(B, *shape)`."""
        return torch.lerp(self.mean(pooled).to(pooled.dtype), pooled, self.gain)


class ImageLevel(nn.Module):
    """What a gate sees of a map behind batch norm and activation, where the plans have a norm over each image.

    The mean over positions of `act(batch_norm(y))`, y the map ahead of the norm, with running statistics over images.
    Earlier norms over each image have shrunk what is left to see, so its deviations from the mean over images are
    amplified.

    Args:
        channels: channels of the map.
        gain: how far the deviations are amplified.
    """

    def __init__(self, channels: int, gain: float) -> None:
        super().__init__()
        self.moments = RunningMean(torch.stack([torch.zeros(channels), torch.ones(channels)]))
        self.amplified = Amplified(gain, channels)

    def forward(self, y: torch.Tensor, norm: Any, nonlin: nn.Module) -> torch.Tensor:
        """`(B, C)`, at least float32, of `y`, `(B, C, *spatial)`; scale and shift are those of the plans' `norm`."""
        mean, square = self.moments(moments(y.detach())).unbind(0)
        scale = torch.rsqrt((square - mean.square()).clamp_min(0) + norm.eps)
        scale = scale if norm.weight is None else scale * norm.weight
        shift = -mean * scale if norm.bias is None else norm.bias - mean * scale
        # As large as the map itself, and cheap: the backward makes it again.
        pooled = checkpoint(mean_of_activated, y, scale, shift, nonlin, use_reentrant=False, preserve_rng_state=False)
        return self.amplified(pooled)


def moments(y: torch.Tensor) -> torch.Tensor:
    """Mean and mean square over positions, `(B, 2, C)`, of `(B, C, *spatial)`, in at least float32."""
    precision = torch.promote_types(y.dtype, torch.float32)
    voxels = y.flatten(2)
    norm = torch.linalg.vector_norm(voxels, dim=2, dtype=precision)
    return torch.stack([voxels.mean(2, dtype=precision), norm.square() / voxels.shape[2]], 1)


def mean_of_activated(y: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, nonlin: nn.Module) -> torch.Tensor:
    """Mean over positions, `(B, C)`, of `nonlin(scale y + shift)`, y `(B, C, *spatial)`, in at least float32."""
    ones = [1] * (y.ndim - 2)
    z = nonlin(torch.addcmul(shift.to(y.dtype).view(-1, *ones), y, scale.to(y.dtype).view(-1, *ones)))
    return z.flatten(2).mean(2, dtype=torch.promote_types(y.dtype, torch.float32))
