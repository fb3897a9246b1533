"""One cell of the demo in a process of its own: nnU-Net's training and validation with a single thread.

`python -m nnunet_skipx.demo.train_cell DATASET CONFIGURATION FOLD TRAINER PLANS`. The command nnUNetv2_train would
take every core with `-device cpu`; two cells with one thread each are faster than one after the other with two.
"""
import pickle
import sys
import zipfile
from pathlib import Path

import torch
from nnunetv2.paths import nnUNet_results
from nnunetv2.run.run_training import run_training
from nnunetv2.utilities.dataset_name_id_conversion import maybe_convert_to_dataset_name

from nnunet_skipx.discovery import append_to_environment


def train_cell(dataset: str, configuration: str, fold: str, trainer: str, plans: str) -> None:
    """Train and validate one fold on the CPU, from the last checkpoint if there is one."""
    torch.set_num_threads(1)
    append_to_environment()
    name = maybe_convert_to_dataset_name(int(dataset) if dataset.isdigit() else dataset)
    drop_unreadable_checkpoints(Path(nnUNet_results) / name / f"{trainer}__{plans}__{configuration}" / f"fold_{fold}")
    run_training(
        name, configuration, fold, trainer, plans, continue_training=True, device=torch.device("cpu")
    )


def drop_unreadable_checkpoints(folder: Path) -> None:
    """Delete checkpoints that a kill or a full disk cut off, so that training goes on from an older one."""
    for path in sorted(folder.glob("checkpoint_*.pth")):
        try:
            torch.load(path, map_location="cpu", weights_only=False)
        except (RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
            print(f"deleting {path}, which cannot be read ({error})")
            path.unlink()


if __name__ == "__main__":
    train_cell(*sys.argv[1:])
