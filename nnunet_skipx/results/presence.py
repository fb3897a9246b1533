"""Which structures were there and which were found, as the voxel counts of nnU-Net's summaries say."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from nnunet_skipx.nnunet.evaluated import Evaluated, again, summary_file
from nnunet_skipx.nnunet.replicates import replicate_number
from nnunet_skipx.results.collect import label_names
from nnunet_skipx.results.study import Models
from nnunet_skipx.results.summary import read_summary

COLUMNS = ("row", "replicate", "fold", "case", "label", "in_reference", "in_prediction")


def presence(models: Models, folds: Sequence[Evaluated], dataset_json: dict[str, Any]) -> pd.DataFrame:
    """A line per row, replicate, case and class: whether reference and prediction have a voxel of it.

    models, folds (its `evaluated`), dataset_json: those of a `Study`, whose summaries have been read and checked.
    """
    names, ending = label_names(dataset_json), dataset_json["file_ending"]
    lines = [
        (row, replicate_number(folder), fold, case, names[key], counts["n_ref"] > 0, counts["n_pred"] > 0)
        for row, folders in models.items()
        for folder in folders
        for fold in folds
        for case, scores in read_summary(summary_file(folder, fold), ending, again(fold)).items()
        for key, counts in scores.items()
        if {"n_ref", "n_pred"} <= counts.keys()  # nnU-Net's older summaries have none
    ]
    return pd.DataFrame(lines, columns=list(COLUMNS))
