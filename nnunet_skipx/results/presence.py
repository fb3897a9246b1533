"""Which structures were there and which were found, as the voxel counts of nnU-Net's summaries say."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from nnunetv2.evaluation.evaluate_predictions import load_summary_json

from nnunet_skipx.results.collect import label_names
from nnunet_skipx.results.study import Models, replicate_number

COLUMNS = ("row", "replicate", "fold", "case", "label", "in_reference", "in_prediction")


def presence(models: Models, folds: Sequence[int], dataset_json: dict) -> pd.DataFrame:
    """A line per row, replicate, case and class: whether reference and prediction have a voxel of it.

    models, folds, dataset_json: those of a `Study`, whose summaries have been read and checked.
    """
    names, ending = label_names(dataset_json), dataset_json["file_ending"]
    lines = [
        (row, replicate_number(folder), fold, case, names[key], counts["n_ref"] > 0, counts["n_pred"] > 0)
        for row, folders in models.items()
        for folder in folders
        for fold in folds
        for case, metrics in _cases(folder / f"fold_{fold}" / "validation" / "summary.json", ending)
        for key, counts in metrics.items()
    ]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _cases(path: Path, ending: str) -> list[tuple[str, dict]]:
    """(case, label key -> counts) of a summary."""
    found = load_summary_json(str(path))["metric_per_case"]
    return [(Path(case["prediction_file"]).name.removesuffix(ending), case["metrics"]) for case in found]
