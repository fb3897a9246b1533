"""Folds as nnU-Net names them: a number, or the word `all`, whose training takes every case."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from nnunet_skipx.nnunet.names import ModelName, dataset_number, is_number

Fold = int | Literal["all"]
ALL: Literal["all"] = "all"
MOST_FOLDS = 1000
FINAL = "checkpoint_final.pth"  # in the folder of a fold that is trained to its end
NOTHING_LEFT = "fold all is trained on every case, so none is left to validate it on"


def fold_named(text: str | int) -> Fold:
    """The fold of a command line, a file or a folder's name; ValueError for what is none.

    >>> fold_named("3"), fold_named(3), fold_named("all")
    (3, 3, 'all')
    """
    if text == ALL:
        return ALL
    if not is_number(str(text)) or int(text) >= MOST_FOLDS:
        raise ValueError(f"{text!r} is no fold: give a whole number from 0 to {MOST_FOLDS - 1}, or all")
    return int(text)


def numbered(folds: Sequence[Fold]) -> list[int]:
    """The folds, each of which has validation cases; ValueError where one of them is `all`, which has none."""
    if ALL in folds:
        raise ValueError(
            f"{NOTHING_LEFT}: name folds that leave cases out, such as -f 0 1 2 3 4, and train those that are "
            "missing with skipx bench or nnUNetv2_train"
        )
    return [fold for fold in folds if fold != ALL]


def folds_in(folders: Sequence[Path]) -> list[Fold]:
    """The folds that folders named `fold_X` are of, numbers first; other folders are of none.

    >>> folds_in([Path("fold_all"), Path("fold_10"), Path("fold_2"), Path("fold_old")])
    [2, 10, 'all']
    """
    names = [folder.name.removeprefix("fold_") for folder in folders if folder.name.startswith("fold_")]
    found = [fold_named(name) for name in names if name == ALL or is_number(name)]
    return sorted(found, key=lambda fold: MOST_FOLDS if fold == ALL else fold)


def training_command(folder: Path, fold: int) -> str:
    """What trains a fold of a model folder, or goes on with it."""
    try:
        trainer, plans, configuration = ModelName.of(folder.resolve())
        number = dataset_number(folder.resolve().parent.name)
    except ValueError:  # a copy under another name
        return f"nnUNetv2_train DATASET CONFIGURATION {fold} --c"
    return f"nnUNetv2_train {number} {configuration} {fold} -tr {trainer} -p {plans} --c"
