"""A training of nnU-Net's that goes on wherever it was interrupted, also within its final validation.

What `nnUNetv2_train --c` does, of the same parts, with three differences: checkpoints are whole or not there, whichever
trainer writes them; a finished training is not begun again before its validation; cases that are predicted stay so.
"""

import struct
import zlib
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
from nibabel.filebasedimages import ImageFileError
from nnunetv2.run.run_training import get_trainer_from_args, maybe_load_checkpoint
from torch.backends import cudnn

from nnunet_skipx.nnunet.checkpoints import checkpoint_draft, read_checkpoint
from nnunet_skipx.nnunet.folds import FINAL, Fold

# What nnU-Net's readers raise for a file that has been cut off; Pillow's is a SyntaxError.
BROKEN_FILE = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    LookupError,
    SyntaxError,
    TypeError,
    struct.error,
    zlib.error,
    ImageFileError,
)


def continued_trainer(
    dataset: str, configuration: str, fold: Fold, trainer: str, plans: str, device: torch.device, weights: str = ""
) -> Any:
    """nnU-Net's trainer where its last checkpoint has left it; arguments as those of nnUNetv2_train.

    weights: what a training that has no checkpoint yet starts from; read as tensors and numbers before nnU-Net does.
    """
    found: Any = get_trainer_from_args(dataset, configuration, fold, trainer, plans, True, device=device)
    save_whole(found)
    maybe_load_checkpoint(found, continue_training=True, validation_only=False)
    if weights and not found.was_initialized:
        read_checkpoint(Path(weights), ["network_weights"])
        maybe_load_checkpoint(found, False, False, pretrained_weights_file=weights)
    if torch.cuda.is_available():
        cudnn.deterministic = False
        cudnn.benchmark = True
    return found


def save_whole(trainer: Any) -> None:
    """Have a trainer, nnU-Net's own too, write whole checkpoints or none, and keep the one before the latest."""
    save = trainer.save_checkpoint

    def save_checkpoint(filename: str) -> None:
        with checkpoint_draft(Path(filename)) as draft:
            save(str(draft))

    trainer.save_checkpoint = save_checkpoint


def finish_training(trainer: Any) -> None:
    """Train the epochs that are left."""
    if trainer.current_epoch < trainer.num_epochs or not (Path(trainer.output_folder) / FINAL).is_file():
        trainer.run_training()


def leave_out_predicted(trainer: Any, npz: bool) -> int:
    """Have the final validation predict only what is missing; returns how many cases that are.

    npz: probabilities are wanted, too.
    """
    final = Path(trainer.output_folder) / FINAL
    return sum(_leave_out(part, final.stat().st_mtime, npz) for part in getattr(trainer, "parts", [trainer]))


def _leave_out(trainer: Any, trained: float, npz: bool) -> int:
    training, validation = trainer.do_split()
    # A cascade's next stage needs each prediction in another form, which lies elsewhere.
    is_needed_elsewhere = trainer.configuration_manager.next_stage_names is not None
    missing = [case for case in validation if is_needed_elsewhere or not _is_predicted(trainer, case, trained, npz)]
    trainer.do_split = lambda: (training, missing)
    if len(missing) < len(validation):
        trainer.print_to_log_file(f"{len(validation) - len(missing)} of {len(validation)} cases are predicted already")
    return len(missing)


def _is_predicted(trainer: Any, case: str, trained: float, npz: bool) -> bool:
    """Whether a whole prediction lies there that is newer than the network; nnU-Net writes the label map last."""
    folder = Path(trainer.output_folder) / "validation"
    path = folder / f"{case}{trainer.dataset_json['file_ending']}"
    others = [folder / f"{case}{ending}" for ending in (".npz", ".pkl")] if npz else []
    if not all(file.is_file() and file.stat().st_mtime >= trained for file in (path, *others)):
        return False
    return is_whole(path, trainer.plans_manager.image_reader_writer_class())


def is_whole(path: Path, reader: Any) -> bool:
    """Whether a label map can be read to its end. SimpleITK reads half a NIfTI without a word, nibabel does not."""
    try:
        if path.name.endswith((".nii", ".nii.gz")):
            loaded: Any = nibabel.load(path)
            np.asanyarray(loaded.dataobj)
        else:
            reader.read_seg(str(path))
    except BROKEN_FILE:
        return False
    return True
