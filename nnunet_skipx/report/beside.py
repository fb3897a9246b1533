"""What a report knows of the cases and of its plans beside nnU-Net's results: patients, covariates, a margin."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from nnunet_skipx.nnunet.json_files import read_provenance
from nnunet_skipx.results.case_file import read_clusters, read_covariates
from nnunet_skipx.results.preregistration import Margin, first_training, margin_of, read_promises
from nnunet_skipx.results.study import Study

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


def study_margin(study: Study, baseline: str, asked: float | None) -> Margin | None:
    """The margin of non-inferiority, and whether it was fixed before training; None for none."""
    names = {row: folders[0].name for row, folders in study.models.items()}
    folders = [folder for replicates in study.models.values() for folder in replicates]
    begun = first_training(folder / f"fold_{fold}" for folder in folders for fold in study.folds)
    pairs = {(name, names[baseline]) for row, name in names.items() if row != baseline}
    results = folders[0].parents[1]
    return margin_of(read_promises(results), study.dataset, pairs, begun, asked)
