"""Results folders of nnU-Net -> one tidy table with a row per fold, case and label."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nnunet_skipx.nnunet.evaluated import Evaluated, members, summary_file
from nnunet_skipx.nnunet.json_files import FROM_TRAINING
from nnunet_skipx.nnunet.json_files import read_dataset_json as read_description
from nnunet_skipx.nnunet.names import ModelName, dataset_number
from nnunet_skipx.results.dice import DiceRule, nnunet_dice
from nnunet_skipx.results.summary import LabelKey, Scores, read_summary

COLUMNS = (
    "dataset",
    "row",
    "trainer",
    "plans",
    "configuration",
    "replicate",
    "fold",
    "case",
    "label",
    "metric",
    "value",
)


def collect(model_folders: Sequence[Path], folds: Sequence[int]) -> pd.DataFrame:
    """Dice of every validation case and label, one row each, with the columns `COLUMNS`.

    A model folder is `<nnUNet_results>/DatasetXXX_Name/TRAINER__PLANS__CONFIG`; the numbers are those of nnU-Net's
    `fold_X/validation/summary.json`, untouched: NaN where a class is absent from both reference and prediction.
    The column `row`, the name of a model in a report, is its trainer's.
    Raises FileNotFoundError for a missing file, ValueError for one that nnU-Net cannot have written.
    """
    return pd.concat(
        [collect_fold(Path(folder), fold) for folder in model_folders for fold in folds], ignore_index=True
    )


def collect_fold(
    model_folder: Path, fold: Evaluated, row: str | None = None, replicate: int = 1, dice_rule: DiceRule = nnunet_dice
) -> pd.DataFrame:
    """The rows of one fold, or of the test set that an ensemble predicted, as `collect` describes them.

    row: the model's name in a report. dice_rule: how Dice counts where a class is absent.
    """
    trainer, plans, configuration = ModelName.of(model_folder)
    dataset_json = read_dataset_json(model_folder)
    names = label_names(dataset_json)
    path, (missing, cure) = summary_file(model_folder, fold), _cures(model_folder, fold, replicate)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: {missing}")
    cell = (model_folder.parent.name, row or trainer, trainer, plans, configuration, replicate, fold)
    found = _read(path, dataset_json, cure)
    try:
        rows = [
            (*cell, case, names[key], "Dice", dice_rule(metrics))
            for case, scores in found.items()
            for key, metrics in scores.items()
        ]
    except KeyError as error:  # what this way to count needs besides Dice
        raise ValueError(f"{path} has a label without {error}: {cure}") from error
    return pd.DataFrame(rows, columns=list(COLUMNS))


def prediction_command(model_folder: Path, folds: Sequence[int], replicates: int = 1) -> str:
    """What predicts a test set by the ensemble of a model's folds, in so many replicates."""
    trainer, plans, configuration = ModelName.of(model_folder)
    again = f" --replicates {replicates}" if replicates > 1 else ""
    model = f"-d {dataset_number(model_folder.parent.name)} -c {configuration} -tr {trainer} -p {plans}"
    return f"skipx bench --test {model} -f {' '.join(map(str, folds))}{again}"


def _cures(model_folder: Path, fold: Evaluated, replicate: int) -> tuple[str, str]:
    """What to do where a summary is missing, and where it is at fault."""
    if isinstance(fold, str):
        command = prediction_command(model_folder, members(fold), replicate)
        return f"the test set is not predicted yet. Do it with: {command}", f"predict the test set again: {command}"
    trainer, plans, configuration = ModelName.of(model_folder)
    command = f"nnUNetv2_train {model_folder.parent.name} {configuration} {fold} -tr {trainer} -p {plans}"
    missing = f"fold {fold} is not validated yet. Finish it with: {command} --c"
    return missing, f"validate the fold again: {command} --val"


def read_dataset_json(model_folder: Path) -> dict[str, Any]:
    """The dataset.json that nnU-Net copied into the model folder; errors as `read_json` raises them."""
    cure = f"nnU-Net writes it when training starts; {FROM_TRAINING}, or from nnUNet_raw of this data set"
    return read_description(model_folder / "dataset.json", cure)


def label_names(dataset_json: dict[str, Any]) -> dict[LabelKey, str]:
    """Label value, or tuple of values for a region, -> name, in the order of dataset.json."""
    return {
        tuple(map(int, value)) if isinstance(value, list | tuple) else int(value): name
        for name, value in dataset_json["labels"].items()
    }


def scored_labels(dataset_json: dict[str, Any]) -> dict[LabelKey, str]:
    """Label, or labels of a region, -> name, of all that is scored."""
    return {key: name for key, name in label_names(dataset_json).items() if key not in (0, (0,)) and name != "ignore"}


def _read(path: Path, dataset_json: dict[str, Any], cure: str) -> dict[str, Scores]:
    """The summary, if it scores every foreground label of dataset.json and nothing else."""
    names, found = label_names(dataset_json), read_summary(path, dataset_json["file_ending"], cure)
    scored = set(next(iter(found.values())))
    if unknown := scored - names.keys():
        raise ValueError(
            f"{path} scores label {min(unknown, key=str)}, which dataset.json of this model does not name (it has "
            f"{names}). The two files belong to different trainings: {cure}"
        )
    if missing := scored_labels(dataset_json).keys() - scored:
        raise ValueError(
            f"{path} scores no label {min(missing, key=str)}, which dataset.json of this model has: {cure}"
        )
    return found
