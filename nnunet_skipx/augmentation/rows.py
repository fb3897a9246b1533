"""Parts of a batch that a transform changes, as one tensor: a number of kernels that no batch size multiplies."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from nnunet_skipx.augmentation.batch import Batch, Chosen

Drawn = dict[tuple[int, int], Any]  # by sample and channel


def on_device(numbers: Any, device: torch.device, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Numbers of the host as a tensor on the device, in one copy that nobody waits for."""
    tensor = torch.as_tensor(numbers, dtype=dtype)
    if device.type == "cuda":  # torch keeps pinned memory from being used again before the copy has run
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


class Rows:
    """Some rows, in ascending order, of tensors' first axes: a view where they are neighbours, else a copy."""

    def __init__(self, rows: Sequence[int], device: torch.device) -> None:
        self.place: slice | torch.Tensor = slice(rows[0], rows[-1] + 1)
        if rows[-1] - rows[0] != len(rows) - 1:
            self.place = on_device(rows, device, torch.long)

    def of(self, whole: torch.Tensor) -> torch.Tensor:
        """(rows, ...) of (all rows, ...)."""
        return whole[self.place] if isinstance(self.place, slice) else whole.index_select(0, self.place)

    def put(self, whole: torch.Tensor, part: torch.Tensor) -> None:
        """Overwrite these rows."""
        if isinstance(self.place, slice):
            whole[self.place].copy_(part)
        else:
            whole.index_copy_(0, self.place, part)

    @contextmanager
    def changing(self, whole: torch.Tensor) -> Iterator[torch.Tensor]:
        """(rows, ...) to be changed in place, which changes these rows."""
        part = self.of(whole)
        yield part
        if not isinstance(self.place, slice):
            self.put(whole, part)


def drawn_numbers(chosen: Chosen, *names: str) -> Drawn:
    """What a transform drew under these names for single channels."""
    drawn: Drawn = {}
    for sample, parameters in chosen:
        if parameters[names[0]] is not None:  # None: of no channel
            columns = [parameters[name].tolist() for name in names]
            for channel, *numbers in zip(parameters["apply_to_channel"], *columns, strict=True):
                drawn[sample, int(channel)] = numbers
    return drawn


@contextmanager
def channels(batch: Batch, drawn: Drawn) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The image's chosen channels (n, *spatial), to be changed in place, and their numbers (each, n, 1, ...)."""
    image = batch.image.view(-1, *batch.image.shape[2:])
    places = sorted(drawn)
    table = on_device([drawn[place] for place in places], image.device)
    rows = Rows([sample * batch.image.shape[1] + channel for sample, channel in places], image.device)
    with rows.changing(image) as part:
        yield part, table.T.reshape(table.shape[1], -1, *[1] * (image.ndim - 1))
