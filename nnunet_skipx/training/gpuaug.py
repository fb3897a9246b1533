"""`_gpuaug`: nnU-Net's training augmentation on the device of the network instead of in worker processes."""
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_skipx.augmentation.pipeline import DeviceAugmentation
from nnunet_skipx.files import draft_of

STATE = "augmentation_state"  # in a checkpoint


class GpuAugOption(nnUNetTrainer):
    """`_gpuaug`: workers only load and crop; the trainer's own transforms run on its device, batch by batch.

    The transforms, their parameters and probabilities are those that the trainer gives its workers otherwise.
    Validation stays as it is. The random numbers are the trainer's own and go on after a resumed training.
    """

    augmentation: DeviceAugmentation | None = None
    loaded_state: dict[str, Any] | None = None

    def get_training_transforms(self, *args: Any, **kwargs: Any) -> None:
        """None for the workers; what nnU-Net gives them is kept for `train_step`.

        Raises:
            NotImplementedError: a transform that does not run on the device, such as those of a cascade.
        """
        transforms = super().get_training_transforms(*args, **kwargs)
        labels = {0, *self.label_manager.all_labels}
        if self.label_manager.has_ignore_label:
            labels.add(self.label_manager.ignore_label)
        seed = int(np.random.randint(2**31))  # what seeds nnU-Net seeds this too
        self.augmentation = DeviceAugmentation(transforms, sorted(labels), seed, self.device)
        if self.loaded_state is not None and self.local_rank == 0:  # the others would draw what the first one draws
            self.augmentation.draws.load_state_dict(self.loaded_state)
        self.print_to_log_file(f"The training augmentation runs on {self.device}.")

    def train_step(self, batch: dict) -> dict:
        """nnU-Net's step on the augmented batch."""
        if self.augmentation is not None:
            data, target = (batch[key].to(self.device, non_blocking=True) for key in ("data", "target"))
            image, targets = self.augmentation(data, target)
            batch = {**batch, "data": image, "target": targets}
        return super().train_step(batch)

    def save_checkpoint(self, filename: str) -> None:
        """nnU-Net's checkpoint, with the state of the augmentation's random numbers."""
        with draft_of(Path(filename)) as draft:
            super().save_checkpoint(str(draft))
            if self.augmentation is not None and draft.is_file():  # only the first process of several writes one
                checkpoint = torch.load(draft, map_location="cpu", weights_only=False)
                torch.save(checkpoint | {STATE: self.augmentation.draws.state_dict()}, draft)

    def load_checkpoint(self, filename_or_checkpoint: dict | str) -> None:
        """nnU-Net's loading; the random numbers go on from there once training starts."""
        super().load_checkpoint(filename_or_checkpoint)
        content = filename_or_checkpoint
        if not isinstance(content, dict):
            content = torch.load(content, map_location="cpu", weights_only=False)
        self.loaded_state = content.get(STATE)
