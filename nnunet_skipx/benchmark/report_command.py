"""`skipx report`: from nnU-Net's results folders to a report in all formats."""
import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from nnunetv2.paths import nnUNet_preprocessed

from nnunet_skipx.benchmark.collect import model_name_parts
from nnunet_skipx.benchmark.cost import Cost, network_cost
from nnunet_skipx.benchmark.exports import write_exports
from nnunet_skipx.benchmark.report import ReportInput, shown_table, terminal_table, write_report
from nnunet_skipx.benchmark.study import Study, read_study
from nnunet_skipx.benchmark.training_log import TrainingLog, read_training_log

STOCK = "nnUNetTrainer"


def report(
    folders: Sequence[Path],
    folds: Sequence[int],
    out: Path,
    baseline: str | None = None,
    allow_missing: bool = False,
    nsd_mm: float | None = None,
    references: Path | None = None,
) -> str:
    """Write the report of model folders into `out`; returns the table for the terminal and where the files are.

    Args:
        folders, folds, allow_missing: see `read_study`.
        baseline: the name of a row; None for nnU-Net's own trainer where it is one, else the first.
        nsd_mm: with metrics that need the label maps, at this tolerance; None without.
        references: folder of the true label maps; None for nnU-Net's own.
    """
    study = read_study(folders, folds, allow_missing)
    names = list(study.models)
    if baseline is not None and baseline not in names:
        raise ValueError(f"--baseline {baseline!r} is none of the rows: {', '.join(names)}")
    if nsd_mm is not None:
        study = with_label_map_metrics(study, nsd_mm, references, out)
    stock = next((name for name in names if re.split(r"[_ ]", name)[0] == STOCK), names[0])
    inputs = report_input(study, baseline or stock)
    words = [*inputs.sentences, *inputs.notes]
    written = [write_report(inputs, out)]
    written += write_exports(study.table, inputs.rows, shown_table(inputs.rows), words, out)
    return "\n".join([terminal_table(inputs), "", *(f"wrote {path}" for path in written)])


def with_label_map_metrics(study: Study, nsd_mm: float, references: Path | None, out: Path) -> Study:
    """The study with the metrics of `label_map_metrics` in its table.

    Raises:
        FileNotFoundError: no folder of references; or as `label_map_metrics`.
    """
    from nnunet_skipx.benchmark.label_maps import label_map_metrics  # MONAI takes seconds to import

    if references is None:
        if not nnUNet_preprocessed.is_set():
            raise FileNotFoundError("--nsd-mm needs the true label maps: set nnUNet_preprocessed, or give --references")
        references = Path(os.fspath(nnUNet_preprocessed)) / study.dataset / "gt_segmentations"
    cache = out / "label_maps.json"
    more = label_map_metrics(study.models, study.table, references, study.dataset_json, nsd_mm, cache)
    return replace(study, table=pd.concat([study.table, more], ignore_index=True))


def find_models(
    results: Path,
    dataset: str,
    configurations: Sequence[str],
    trainers: Sequence[str] | None,
    plans: Sequence[str] | None,
) -> list[Path]:
    """Model folders of a data set, given by id or name, in the order of `trainers`, or else by name.

    Raises:
        FileNotFoundError: no such data set or no such model among the results; says what there is.
    """
    number = f"Dataset{int(dataset):03d}_" if dataset.isdigit() else dataset
    there = sorted(path for path in results.glob("Dataset*") if path.name == dataset or path.name.startswith(number))
    if len(there) != 1:
        known = ", ".join(sorted(path.name for path in results.glob("Dataset*"))) or "none"
        raise FileNotFoundError(f"data set {dataset!r} has no results in {results}; there are: {known}")
    models = sorted(there[0].glob("*__*__*"), key=model_name_parts)
    chosen = []
    for path in models:
        _, its_plans, configuration = model_name_parts(path)
        if configuration in configurations and (plans is None or its_plans in plans):
            chosen.append(path)
    if trainers is not None:
        chosen = [path for name in trainers for path in chosen if model_name_parts(path)[0] == name]
    found = {model_name_parts(path)[0] for path in chosen}
    if not chosen or (trainers is not None and found != set(trainers)):
        known = "\n".join(f"  {path.name}" for path in models) or "  none"
        lacking = ", ".join(sorted(set(trainers or ()) - found)) or "any model"
        raise FileNotFoundError(f"{there[0]} has no results of {lacking} with these options; there are:\n{known}")
    return chosen


def report_input(study: Study, baseline: str) -> ReportInput:
    """What the page shows, from the model folders alone."""
    logs = {name: training_logs(folder, study.folds) for name, folder in study.models.items()}
    return ReportInput(
        title=f"Cross-validation on {study.dataset}",
        table=study.table,
        baseline=baseline,
        dataset_json=study.dataset_json,
        costs={name: cost for name, folder in study.models.items() if (cost := model_cost(folder)) is not None},
        logs={name: folds for name, folds in logs.items() if folds},
        notes=study.remarks,
    )


def training_logs(folder: Path, folds: Sequence[int]) -> dict[int, TrainingLog]:
    """The logs of those folds that have one: a copied results folder may have none."""
    return {
        fold: read_training_log(folder / f"fold_{fold}")
        for fold in folds
        if any((folder / f"fold_{fold}").glob("training_log_*.txt"))
    }


def model_cost(folder: Path) -> Cost | None:
    """Parameters and operations of the model, or None where its trainer or its plans are not here."""
    trainer, _, configuration = model_name_parts(folder)
    plans = folder / "plans.json"
    if not plans.is_file():
        return None
    dataset_json = json.loads((folder / "dataset.json").read_text())
    try:
        return network_cost(trainer, json.loads(plans.read_text()), configuration, dataset_json)
    except ValueError:
        return None  # a trainer of somebody else's environment
