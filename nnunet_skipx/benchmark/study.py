"""What a report compares: model folders of one data set, complete and comparable, or a refusal that says why not."""
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nnunet_skipx.benchmark.collect import collect_fold, label_names, model_name_parts, read_dataset_json


@dataclass(frozen=True)
class Study:
    """Models that were validated on the same cases.

    models: folder by row name, the trainer's where that is unambiguous. folds: those that every model has.
    table: tidy, with the row names as trainers. remarks: what is missing, and what differs besides the trainer.
    """

    dataset: str
    models: dict[str, Path]
    folds: tuple[int, ...]
    table: pd.DataFrame
    dataset_json: dict[str, Any]
    remarks: tuple[str, ...]


def read_study(folders: Sequence[Path], folds: Sequence[int], allow_missing: bool) -> Study:
    """Collect and check the folds of model folders.

    Raises:
        FileNotFoundError: a fold is not validated, and `allow_missing` is not set; or no fold is shared by all.
        ValueError: the models were validated on other cases, or have other labels, or another data set.
    """
    if len({folder.parent.name for folder in folders}) > 1:
        raise ValueError(f"one report compares one data set, not {sorted({folder.parent.name for folder in folders})}")
    models = row_names(folders)
    shared, remarks = shared_folds(models, folds, allow_missing)
    dataset_json = same_labels(models)
    parts = [collect_fold(folder, fold).assign(trainer=name) for name, folder in models.items() for fold in shared]
    table = pd.concat(parts, ignore_index=True)
    require_same_cases(table)
    remarks += plan_differences(models)
    return Study(folders[0].parent.name, models, shared, table, dataset_json, tuple(remarks))


def row_names(folders: Sequence[Path]) -> dict[str, Path]:
    """Folder by name: the trainer's, followed by plans and configuration where these are not all the same."""
    parts = {folder: model_name_parts(folder) for folder in folders}
    several = len({(plans, configuration) for _, plans, configuration in parts.values()}) > 1
    return {
        f"{trainer} ({plans}, {configuration})" if several else trainer: folder
        for folder, (trainer, plans, configuration) in parts.items()
    }


def shared_folds(
    models: dict[str, Path], folds: Sequence[int], allow_missing: bool
) -> tuple[tuple[int, ...], list[str]]:
    """The folds that every model has, and a remark for each that one lacks."""
    missing = [
        (name, fold)
        for name, folder in models.items()
        for fold in folds
        if not (folder / f"fold_{fold}" / "validation" / "summary.json").is_file()
    ]
    listed = "; ".join(f"{name} fold {fold}" for name, fold in missing)
    if missing and not allow_missing:
        raise FileNotFoundError(
            f"not validated yet: {listed}. Finish them with skipx bench, name fewer folds with -f, or compare on what "
            "all have with --allow-missing"
        )
    shared = tuple(fold for fold in folds if fold not in {fold for _, fold in missing})
    if not shared:
        raise FileNotFoundError(f"no fold is validated for every model; missing: {listed}")
    text = f"Incomplete: compared on fold {', '.join(map(str, shared))} only, because these are missing: {listed}."
    return shared, [text] if missing else []


def same_labels(models: dict[str, Path]) -> dict[str, Any]:
    """The dataset.json of all models; ValueError where their labels differ."""
    contents = {name: read_dataset_json(folder) for name, folder in models.items()}
    first, *others = contents
    for other in others:
        if label_names(contents[other]) != label_names(contents[first]):
            raise ValueError(
                f"{first} was trained on the labels {contents[first]['labels']}, {other} on "
                f"{contents[other]['labels']}: a Dice of one is no Dice of the other"
            )
    return contents[first]


def require_same_cases(table: pd.DataFrame) -> None:
    """ValueError where a fold has other cases in one row than in another."""
    cases = {name: set(map(tuple, rows[["fold", "case"]].to_numpy())) for name, rows in table.groupby("trainer")}
    first, *others = cases
    for other in others:
        if different := sorted(cases[first] ^ cases[other]):
            fold, case = different[0]
            raise ValueError(
                f"{first} and {other} were not validated on the same cases: {len(different)} differ, for example case "
                f"{case} of fold {fold}. Train both with the same splits_final.json"
            )


def plan_differences(models: dict[str, Path]) -> list[str]:
    """A remark for each model whose plans differ from those of the first, with the entries that do."""
    files = {name: folder / "plans.json" for name, folder in models.items()}
    plans = {name: _flat(json.loads(path.read_text())) for name, path in files.items() if path.is_file()}
    remarks = []
    for name in list(plans)[1:]:
        first = next(iter(plans))
        keys = (plans[first].keys() | plans[name].keys()) - {"plans_name"}
        if different := sorted(key for key in keys if plans[first].get(key) != plans[name].get(key)):
            remarks.append(f"The plans of {name} differ from those of {first} in {', '.join(different)}.")
    return remarks


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Every leaf of nested dictionaries, as text, under its path."""
    leaves: dict[str, str] = {}
    for key, value in content.items():
        leaves |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": str(value)}
    return leaves
