"""What a report knows of the cases and of its plans beside nnU-Net's results: patients, covariates, a margin."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from nnunet_skipx.nnunet.json_files import read_provenance
from nnunet_skipx.results.case_file import read_clusters, read_covariates
from nnunet_skipx.results.preregistration import Margin, first_training, margins_of, read_promises
from nnunet_skipx.results.study import Study
from nnunet_skipx.statistics.metric import found_in

TAKES = {"lesion": "--lesions", "ECE": "--calibration", "Brier": "--calibration", "": "--nsd-mm with its tolerance"}
PROVENANCE_FILE = "provenance.json"  # of `skipx convert`, beside the raw data


@dataclass(frozen=True)
class CaseFiles:
    """CSV files with a line per case."""

    covariates: Path | None = None
    clusters: Path | None = None


def with_clusters(study: Study, known: CaseFiles, raw: Path | None) -> tuple[Study, tuple[str, ...]]:
    """The study with a column `cluster` in its table where cases are of one patient, and a remark that says so.

    raw: the data set's folder in nnUNet_raw, if it is there. Raises as `read_clusters`, or `read_provenance`.
    """
    cases = sorted(study.table["case"].unique())
    clusters = read_clusters(known.clusters, cases) if known.clusters else patients_of(cases, raw)
    several = Counter(clusters.values())
    if len(several) == len(cases):
        return study, ()
    source = known.clusters.name if known.clusters else PROVENANCE_FILE
    told = f"The {len(cases)} cases are of {len(several)} patients ({source}), who count as the sample."
    table = study.table.assign(cluster=study.table["case"].map(clusters))
    folds = table.groupby("cluster")["fold"].nunique()
    if apart := sorted(folds.index[folds > 1]):
        told += (
            f" {len(apart)} have cases in several folds, such as {apart[0]}: networks are validated on patients whom "
            "they were trained on."
        )
    return replace(study, table=table), (told,)


def patients_of(cases: list[str], raw: Path | None) -> dict[str, str]:
    """Case -> its patient where `skipx convert` wrote it down, else the case itself."""
    path = raw / PROVENANCE_FILE if raw is not None else None
    patients = read_provenance(path).get("patients", {}) if path is not None and path.is_file() else {}
    return {case: patients.get(case, f"case {case}") for case in cases}


def covariates_of(study: Study, known: CaseFiles) -> pd.DataFrame | None:
    """Those of the study's cases; None without a file. Raises as `read_covariates`."""
    if known.covariates is None:
        return None
    return read_covariates(known.covariates, sorted(study.table["case"].unique()))


def study_margins(study: Study, baseline: str, asked: Mapping[str, float]) -> list[Margin]:
    """The margins of non-inferiority, and whether they were fixed before training.

    asked: by metric, with or without its setting. Raises ValueError for a metric that was not taken.
    """
    in_table = {taken_name(study, metric, "--margin"): value for metric, value in asked.items()}
    names = {row: folders[0].name for row, folders in study.models.items()}
    folders = [folder for replicates in study.models.values() for folder in replicates]
    begun = first_training(folder / f"fold_{fold}" for folder in folders for fold in study.folds)
    pairs = {(name, names[baseline]) for row, name in names.items() if row != baseline}
    results = folders[0].parents[1]
    return margins_of(read_promises(results), study.dataset, pairs, begun, in_table)


def taken_name(study: Study, metric: str, option: str) -> str:
    """A metric's name in the study's table; ValueError, with what takes it, where it is not there."""
    taken = study.table["metric"].unique().tolist()
    found = found_in(metric, taken)
    if found is None:
        cure = next(cure for beginning, cure in TAKES.items() if metric.startswith(beginning))
        raise ValueError(f"{option} names {metric}, but taken are {', '.join(taken)} only: add {cure}")
    return found
