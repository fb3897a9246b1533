"""Which trained model, and which of its folds, are inspected."""

import glob
from collections.abc import Sequence
from pathlib import Path

from nnunet_skipx.nnunet.folds import ALL, NOTHING_LEFT, Fold, folds_in, numbered, training_command
from nnunet_skipx.results.find_models import find_models
from nnunet_skipx.system.names import unfit_name


def chosen_model(results: Path, dataset: str, configuration: str, trainer: str, plans: str) -> Path:
    """The model folder of nnU-Net's letters, with errors as `find_models`."""
    (folder,) = find_models(results, dataset, [configuration], [trainer], [plans])
    return folder


def trained_folds(folder: Path, folds: Sequence[Fold] | None, checkpoint: str) -> list[int]:
    """The folds asked for, or every one, that have the checkpoint and validation cases.

    Raises FileNotFoundError where one has no checkpoint, ValueError for fold all, which has no validation cases.
    """
    asked = None if folds is None else numbered(folds)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} does not exist: give a folder <nnUNet_results>/DatasetXXX_Name/TRAINER__PLANS__CONFIGURATION, "
            "or -d, -c and -tr"
        )
    for name in ("plans.json", "dataset.json"):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder / name} is missing, so {folder} is no trained model: give a folder "
                "<nnUNet_results>/DatasetXXX_Name/TRAINER__PLANS__CONFIGURATION"
            )
    if unfit_name(checkpoint):
        raise ValueError(f"-chk {checkpoint!r} {unfit_name(checkpoint)}: give the name of a file in the folds' folders")
    found = folds_in([path.parent for path in folder.glob(f"fold_*/{glob.escape(checkpoint)}")])
    there = [fold for fold in found if fold != ALL]
    wanted = there if asked is None else asked
    if not wanted or not set(wanted) <= set(there):
        lacking = ", ".join(f"fold_{fold}" for fold in wanted if fold not in there) or "any fold"
        if found == [ALL]:
            train = training_command(folder, 0).removesuffix(" --c")
            raise FileNotFoundError(f"{folder} has no {checkpoint} but that of fold all, and {NOTHING_LEFT}: {train}")
        raise FileNotFoundError(
            f"{folder} has no {checkpoint} of {lacking} (it has one of {', '.join(map(str, found)) or 'none'}). "
            "Finish the training with nnUNetv2_train ... --c, or name other folds with -f"
        )
    return wanted
