"""`_gpuaug`: nnU-Net's training augmentation on the device of the network instead of in worker processes."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_skipx.augmentation.pipeline import DeviceAugmentation
from nnunet_skipx.augmentation.stream import SideStream
from nnunet_skipx.nnunet.checkpoints import checkpoint_draft, read_checkpoint, saved_along
from nnunet_skipx.training.processes import is_writing_process

STATE = "augmentation_state"  # in a checkpoint
CPU = torch.device("cpu")
DEVICES = ("cuda", "cpu")  # with all operators that the augmentation needs


class GpuAugOption(nnUNetTrainer):
    """`_gpuaug`: workers only load and crop; the trainer's own transforms run on its device, batch by batch.

    The transforms, their parameters and probabilities are those that the trainer gives its workers otherwise.
    Validation stays as it is. The random numbers are the trainer's own and go on after a resumed training.
    """

    augments_in_workers: ClassVar[bool] = False
    elastic: ClassVar[bool] = False
    augmentation: DeviceAugmentation | None = None
    side_stream: SideStream
    loaded_state: dict[str, Any] | None = None

    def get_training_transforms(self, *args: Any, **kwargs: Any) -> None:
        """None for the workers; what nnU-Net gives them is kept for `train_step`.

        Raises:
            NotImplementedError: somebody's transform that is not one of nnU-Net's.
        """
        transforms = super().get_training_transforms(*args, **kwargs)
        seed = int(np.random.randint(2**31))  # what seeds nnU-Net seeds this too
        device = self.device if self.device.type in DEVICES else CPU
        self.augmentation = DeviceAugmentation(transforms, seed, device, self.elastic)
        self.side_stream = SideStream(device)  # the next batch is augmented while the network works on this one
        if self.loaded_state is not None and is_writing_process():  # the others would draw what the first one draws
            self.augmentation.draws.load_state_dict(self.loaded_state)
        reason = "" if device == self.device else f", because torch cannot resample volumes on {self.device.type}"
        self.print_to_log_file(f"The training augmentation runs on {device}, in the training process{reason}.")

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """nnU-Net's step on the augmented batch."""
        if self.augmentation is not None:
            try:
                image, targets = self.side_stream.run(self.augmentation, batch["data"], batch["target"])
            except torch.OutOfMemoryError:
                self.augmentation.draws.move_to(CPU)
                self.print_to_log_file(
                    "The GPU has no memory left for the training augmentation, which goes on on the "
                    "CPU, slower: end what else runs there, or try `skipx plan --vram`."
                )
                image, targets = self.augmentation(batch["data"], batch["target"])
            batch = {**batch, "data": image, "target": targets}
        return super().train_step(batch)

    def save_checkpoint(self, filename: str) -> None:
        """nnU-Net's checkpoint, with the state of the augmentation's random numbers."""
        if not is_writing_process():  # the others must not touch the first one's draft
            return
        augmentations = [loader.augmentation for loader in self._loaders()]
        started = augmentations[0] is not None
        entries = {STATE: [augmentation.draws.state_dict() for augmentation in augmentations]} if started else {}
        with checkpoint_draft(Path(filename)) as draft, saved_along(entries):
            super().save_checkpoint(str(draft))

    def load_checkpoint(self, filename_or_checkpoint: dict[str, Any] | str) -> None:
        """nnU-Net's loading; the random numbers go on from there once training starts."""
        content = filename_or_checkpoint
        if not isinstance(content, dict):
            content = read_checkpoint(Path(content))
        super().load_checkpoint(filename_or_checkpoint)
        for loader, state in zip(self._loaders(), content.get(STATE, []), strict=False):
            loader.loaded_state = state

    def _loaders(self) -> list[Any]:
        """The trainers that load data: this one, or those of a universal run's domains."""
        return getattr(self, "parts", [self])


class ElasticOption(nnUNetTrainer):
    """`_elastic`, with `_gpuaug`: every sample is also deformed elastically, as the 3D U-Net's authors did."""

    elastic: ClassVar[bool] = True
