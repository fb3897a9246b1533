"""Results folders of nnU-Net -> one tidy table with a row per fold, case and label."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from batchgenerators.utilities.file_and_folder_operations import load_json
from nnunetv2.evaluation.evaluate_predictions import load_summary_json

from nnunet_skipx.nnunet.names import ModelName
from nnunet_skipx.results.dice import DiceRule, nnunet_dice

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
LabelKey = int | tuple[int, ...]


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
    model_folder: Path, fold: int, row: str | None = None, replicate: int = 1, dice_rule: DiceRule = nnunet_dice
) -> pd.DataFrame:
    """The rows of one fold, as `collect` describes them.

    row: the model's name in a report. dice_rule: how Dice counts where a class is absent.
    """
    trainer, plans, configuration = ModelName.of(model_folder)
    dataset_json = read_dataset_json(model_folder)
    names = label_names(dataset_json)
    path = model_folder / f"fold_{fold}" / "validation" / "summary.json"
    cure = f"nnUNetv2_train {model_folder.parent.name} {configuration} {fold} -tr {trainer} -p {plans} --c"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: fold {fold} is not validated yet. Finish it with: {cure}")
    cell = (model_folder.parent.name, row or trainer, trainer, plans, configuration, replicate, fold)
    rows = [
        (*cell, case, _label_name(names, key, path), "Dice", dice)
        for case, key, dice in _read_summary(path, dataset_json["file_ending"], cure, dice_rule)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def read_dataset_json(model_folder: Path) -> dict[str, Any]:
    """The dataset.json that nnU-Net copied into the model folder; FileNotFoundError where there is none."""
    path = model_folder / "dataset.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: nnU-Net writes it when training starts. Check the folder's name, "
            "or copy the file from nnUNet_raw of this data set."
        )
    content: dict[str, Any] = load_json(str(path))
    return content


def label_names(dataset_json: dict[str, Any]) -> dict[LabelKey, str]:
    """Label value, or tuple of values for a region, -> name, in the order of dataset.json."""
    return {
        tuple(map(int, value)) if isinstance(value, list | tuple) else int(value): name
        for name, value in dataset_json["labels"].items()
    }


def _label_name(names: dict[LabelKey, str], key: LabelKey, path: Path) -> str:
    if key not in names:
        raise ValueError(
            f"{path} scores label {key}, which dataset.json of this model does not name (it has {names}). "
            "The two files belong to different trainings: validate this fold again with --val."
        )
    return names[key]


def _read_summary(path: Path, file_ending: str, cure: str, dice_rule: DiceRule) -> list[tuple[str, LabelKey, float]]:
    """(case, label key, Dice) in the file's order."""
    try:
        cases = load_summary_json(str(path))["metric_per_case"]
        rows = [
            (Path(case["prediction_file"]).name.removesuffix(file_ending), key, dice_rule(metrics))
            for case in cases
            for key, metrics in case["metrics"].items()
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{path} is not a summary that nnU-Net wrote ({type(error).__name__}: {error}). Delete it, then: {cure}"
        ) from error
    if not rows:
        raise ValueError(f"{path} holds no case. Delete it, then: {cure}")
    return rows
