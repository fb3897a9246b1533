"""The numbers of `skipx report` as data frames."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from nnunet_skipx.nnunet.folds import Fold
from nnunet_skipx.report.command import ReportOptions, case_files, read_comparison
from nnunet_skipx.report.exports import comparison_json
from nnunet_skipx.results.find_models import find_models


class Compared(NamedTuple):
    """What a comparison found, a data frame each; the columns are those of cases.csv and of report.json.

    cases: a line per data set, row, replicate, fold, case, class and metric. rows: a line per data set and row.
    contrasts: a line per comparison, each row against the baseline and its twins, with the verdict.
    """

    cases: pd.DataFrame
    rows: pd.DataFrame
    contrasts: pd.DataFrame


def compare(
    results: str | Path,
    datasets: Sequence[str | int],
    trainers: Sequence[str] | None = None,
    configurations: Sequence[str] = ("3d_fullres",),
    plans: Sequence[str] | None = None,
    folds: Sequence[Fold] | None = None,
    **options: Any,
) -> Compared:
    """Compare the models of a folder of nnU-Net's results as `skipx report` does, without writing anything.

    Args:
        results: nnUNet_results, or a folder like it.
        datasets: ids or names.
        trainers: which; None for all that there are.
        configurations: likewise.
        plans: likewise.
        folds: likewise.
        options: fields of `nnunet_skipx.report.command.ReportOptions`: baseline, rope, allow_missing, nsd_mm, ...

    Raises:
        FileNotFoundError, ValueError: as `skipx report` tells them, with what there is or the command that cures it.
    """
    chosen = ReportOptions(**options)
    comparisons = []
    with tempfile.TemporaryDirectory() as scratch:  # where metrics of label maps are kept
        for position, dataset in enumerate(datasets):
            folders = find_models(Path(results), str(dataset), configurations, trainers, plans)
            tolerance, known = chosen.tolerance(position, len(datasets)), case_files(chosen, position, len(datasets))
            comparisons.append(read_comparison(folders, folds, Path(scratch), chosen, tolerance, known))
    parts = [comparison_json(comparison) for comparison in comparisons]
    return Compared(
        pd.concat([comparison.table for comparison in comparisons], ignore_index=True),
        frame(parts, "rows"),
        frame(parts, "contrasts"),
    )


def frame(parts: Sequence[dict[str, Any]], key: str) -> pd.DataFrame:
    """A line per entry under `key` of every data set, nested entries under their path."""
    return pd.json_normalize([{"dataset": part["dataset"], **line} for part in parts for line in part[key]])
