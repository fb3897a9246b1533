"""What a report compares: model folders of one data set, complete and comparable, or a refusal that says why not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nnunet_skipx.datasets.protocol import Protocol
from nnunet_skipx.nnunet.evaluated import Evaluated, members, told
from nnunet_skipx.nnunet.folds import ALL, FINAL, NOTHING_LEFT, Fold, numbered
from nnunet_skipx.nnunet.json_files import FROM_TRAINING, read_plans
from nnunet_skipx.nnunet.names import ModelName
from nnunet_skipx.nnunet.replicates import replicate_number, replicates
from nnunet_skipx.results.collect import collect_fold, label_names, read_dataset_json
from nnunet_skipx.results.dice import DiceRule, nnunet_dice
from nnunet_skipx.results.ensembles import common_ensemble, not_predicted
from nnunet_skipx.results.protocols import common_protocol, folds_of, require_protocol_folds
from nnunet_skipx.results.provenance import augmentation_mode, step_mode

Models = dict[str, tuple[Path, ...]]  # a row's name -> its model folders, one per replicate
MODES = {  # what a name's options choose, and the remark where the choices differ
    augmentation_mode: "The training augmentation did not run in one mode, which is a difference of its own ({}).",
    step_mode: "The training steps did not run in one mode, which does the same in another time: seconds per epoch "
    "are not comparable ({}).",
}


@dataclass(frozen=True)
class Study:
    """Models that were evaluated on the same cases.

    models: by row name, the trainer's where that is unambiguous. folds: those that every model has.
    evaluated: what the cases are of, these folds' validations, or the test set that they predicted as an ensemble.
    table: tidy, of `collect_fold`. protocol: that of the data set, if it names one.
    incomplete: what is missing and hence left out, empty if nothing is.
    remarks: what differs besides the trainer.
    """

    dataset: str
    models: Models
    folds: tuple[int, ...]
    evaluated: tuple[Evaluated, ...]
    table: pd.DataFrame
    dataset_json: dict[str, Any]
    protocol: Protocol | None
    incomplete: str
    remarks: tuple[str, ...]


def read_study(
    folders: Sequence[Path],
    folds: Sequence[Fold] | None,
    allow_missing: bool,
    dice_rule: DiceRule = nnunet_dice,
    test: bool = False,
) -> Study:
    """Collect and check the folds of model folders of one data set, with their replicates; None for the protocol's.

    test: of the test set, as the ensemble of these folds predicted it.

    Raises:
        FileNotFoundError: a fold is not validated, or the test set not predicted, and `allow_missing` is not set; or
            no fold is shared by all.
        ValueError: the models were validated on other cases, or have other labels or protocols, or a summary cannot
            be read and `allow_missing` is not set; or one of the folds is `all`.
    """
    models = {name: (folder, *replicates(folder)) for name, folder in row_names(folders).items()}
    dataset_json = same_labels(models)
    protocol, silent = common_protocol(models)
    chosen = None if folds is None else numbered(folds)
    usual = folds_of(folders) if chosen is None else chosen
    asked: Sequence[Evaluated] = [common_ensemble(folders, chosen, usual)] if test else usual
    parts, missing = collect_all(models, asked, allow_missing, dice_rule)
    models, shared, incomplete = complete_part(models, asked, missing)
    kept = [part for (folder, fold), part in parts.items() if fold in shared and folder in sum(models.values(), ())]
    table = pd.concat(kept, ignore_index=True)
    require_same_cases(table)
    if protocol is not None and not test:
        require_protocol_folds(protocol, table)
    remarks = (*silent, *plan_differences(models), *mode_differences(models))
    trained = tuple(fold for part in shared for fold in members(part))
    return Study(folders[0].parent.name, models, trained, shared, table, dataset_json, protocol, incomplete, remarks)


def row_names(folders: Sequence[Path]) -> dict[str, Path]:
    """Folder by name: the trainer's, followed by plans and configuration where these are not all the same."""
    parts = {folder: ModelName.of(folder) for folder in folders}
    several = len({(plans, configuration) for _, plans, configuration in parts.values()}) > 1
    return {
        f"{trainer} ({plans}, {configuration})" if several else trainer: folder
        for folder, (trainer, plans, configuration) in parts.items()
    }


def named(row: str, replicate: int) -> str:
    """A row, and which replicate of it unless it is the first."""
    return row if replicate == 1 else f"{row} replicate {replicate}"


def collect_all(
    models: Models, folds: Sequence[Evaluated], allow_missing: bool, dice_rule: DiceRule
) -> tuple[dict[tuple[Path, Evaluated], pd.DataFrame], dict[tuple[Path, Evaluated], str]]:
    """The table of each model folder and fold, and what is wrong with those that have none."""
    parts, missing = {}, {}
    for name, model_folders in models.items():
        for folder in model_folders:
            for fold in folds:
                number = replicate_number(folder)
                try:
                    parts[folder, fold] = collect_fold(folder, fold, name, number, dice_rule)
                except (FileNotFoundError, ValueError) as error:
                    if not allow_missing and not isinstance(error, FileNotFoundError):
                        raise
                    missing[folder, fold] = named(name, number)
    if missing and not allow_missing:
        raise FileNotFoundError(_not_there(missing) + trained_on_all(models))
    return parts, missing


def _not_there(missing: dict[tuple[Path, Evaluated], str]) -> str:
    """What is missing, and how to get it."""
    lacking = {folder: (name, replicate_number(folder)) for (folder, _), name in missing.items()}
    ((_, wanted), *_) = missing
    if isinstance(wanted, str):
        return not_predicted(lacking, wanted)
    return (
        f"not validated yet: {_listed(missing)}. Finish them with skipx bench, name fewer folds with -f, or "
        "compare on what all have with --allow-missing"
    )


def _listed(missing: dict[tuple[Path, Evaluated], str]) -> str:
    """Every row, or replicate of it, with the folds that it lacks."""
    folds: dict[str, list[str]] = {}
    for (_, fold), name in missing.items():
        folds.setdefault(name, []).extend([] if isinstance(fold, str) else [str(fold)])
    return "; ".join(f"{name} fold {', '.join(found)}" if found else name for name, found in folds.items())


def trained_on_all(models: Models) -> str:
    """That a trained fold all, where there is one, does not help."""
    rows = [name for name, folders in models.items() if any((f / f"fold_{ALL}" / FINAL).is_file() for f in folders)]
    return f". That of {', '.join(rows)} cannot stand in: {NOTHING_LEFT}" if rows else ""


def complete_part(
    models: Models, folds: Sequence[Evaluated], missing: dict[tuple[Path, Evaluated], str]
) -> tuple[Models, tuple[Evaluated, ...], str]:
    """Models without their incomplete replicates, the folds that all first replicates have, and what that left out."""
    lacking = {folder for folder, _ in missing}
    kept = {
        name: (first, *(other for other in others if other not in lacking)) for name, (first, *others) in models.items()
    }
    firsts = {model_folders[0] for model_folders in kept.values()}
    shared = tuple(fold for fold in folds if not any((first, fold) in missing for first in firsts))
    on_test_set = isinstance(folds[0], str)
    if not shared:
        nothing = "the test set is not predicted by" if on_test_set else "no fold is validated for"
        raise FileNotFoundError(
            f"{nothing} every model; missing: {_listed(missing)}. Finish them with skipx bench{trained_on_all(models)}"
        )
    part = "the other replicates" if on_test_set else f"fold {', '.join(map(str, shared))}"
    text = f"Incomplete: compared on {part} only, because these are missing or unreadable: "
    return kept, shared, f"{text}{_listed(missing)}." if missing else ""


def same_labels(models: Models) -> dict[str, Any]:
    """The dataset.json of all models; ValueError where their labels differ."""
    contents = {(name, folder): read_dataset_json(folder) for name, folders in models.items() for folder in folders}
    first, *others = contents
    for other in others:
        if label_names(contents[other]) != label_names(contents[first]):
            raise ValueError(
                f"{first[0]} was trained on the labels {contents[first]['labels']}, {other[0]} on "
                f"{contents[other]['labels']}: a Dice of one is no Dice of the other"
            )
    return contents[first]


def require_same_cases(table: pd.DataFrame) -> None:
    """ValueError where a fold has other cases in one row than in another."""
    cases = {
        named(str(row), int(replicate)): set(zip(part["fold"], part["case"], strict=True))
        for (row, replicate), part in table.groupby(["row", "replicate"], sort=False)
    }
    first, *others = cases
    for other in others:
        if different := sorted(cases[first] ^ cases[other]):
            fold, case = different[0]
            done, cure = "validated", "Train both with the same splits_final.json"
            if isinstance(fold, str):
                done, cure = "tested", "Run skipx bench --test on both again, which predicts what is new in imagesTs"
            raise ValueError(
                f"{first} and {other} were not {done} on the same cases: {len(different)} differ, for example "
                f"case {case} of {told(fold)}. {cure}"
            )


def plan_differences(models: Models) -> tuple[str, ...]:
    """A remark for each model whose plans differ from those of the first, with the entries that do."""
    files = {name: folders[0] / "plans.json" for name, folders in models.items()}
    plans = {name: _flat(read_plans(path, FROM_TRAINING)) for name, path in files.items() if path.is_file()}
    remarks = []
    for name in list(plans)[1:]:
        first = next(iter(plans))
        keys = (plans[first].keys() | plans[name].keys()) - {"plans_name"}
        if different := sorted(key for key in keys if plans[first].get(key) != plans[name].get(key)):
            remarks.append(f"The plans of {name} differ from those of {first} in {', '.join(different)}.")
    return tuple(remarks)


def mode_differences(models: Models) -> tuple[str, ...]:
    """A remark for each thing that not all models were trained with in one mode."""
    trainers = {name: ModelName.of(folders[0]).trainer for name, folders in models.items()}
    remarks = []
    for mode, what in MODES.items():
        modes = {name: mode(trainer) for name, trainer in trainers.items()}
        if len(set(modes.values())) > 1:
            remarks.append(what.format("; ".join(f"{name}: {mode}" for name, mode in modes.items())))
    return tuple(remarks)


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Every leaf of nested dictionaries, as text, under its path."""
    leaves: dict[str, str] = {}
    for key, value in content.items():
        leaves |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": str(value)}
    return leaves
