"""Which trained model, and which of its folds, are inspected."""

import glob
from collections.abc import Sequence
from pathlib import Path

from nnunet_skipx.nnunet.names import is_number
from nnunet_skipx.results.find_models import find_models
from nnunet_skipx.system.names import unfit_name


def chosen_model(results: Path, dataset: str, configuration: str, trainer: str, plans: str) -> Path:
    """The model folder of nnU-Net's letters, with errors as `find_models`."""
    (folder,) = find_models(results, dataset, [configuration], [trainer], [plans])
    return folder


def trained_folds(folder: Path, folds: Sequence[int] | None, checkpoint: str) -> list[int]:
    """The folds asked for, or all, that have the checkpoint; FileNotFoundError where one has not."""
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
    numbers = [path.parent.name.removeprefix("fold_") for path in folder.glob(f"fold_*/{glob.escape(checkpoint)}")]
    there = sorted(int(number) for number in numbers if is_number(number))
    wanted = there if folds is None else list(folds)
    if not wanted or not set(wanted) <= set(there):
        lacking = ", ".join(f"fold_{fold}" for fold in wanted if fold not in there) or "any fold"
        of_all = " That of fold all was trained on all cases, so none is left to look at." if "all" in numbers else ""
        raise FileNotFoundError(
            f"{folder} has no {checkpoint} of {lacking} (it has one of {', '.join(map(str, there)) or 'none'})."
            f"{of_all} Finish the training with nnUNetv2_train ... --c, or name other folds with -f"
        )
    return wanted
