"""`skipx report`: from nnU-Net's results folders to a report in all formats."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from nnunetv2.paths import nnUNet_preprocessed, nnUNet_raw

from nnunet_skipx.inspection.records import read_inspection
from nnunet_skipx.nnunet.folds import Fold
from nnunet_skipx.report.beside import CaseFiles, covariates_of, study_margins, taken_name, with_clusters
from nnunet_skipx.report.comparison import DETAILED, Comparison
from nnunet_skipx.report.exports import NOT_IN_ALL, write_exports
from nnunet_skipx.report.page import report_parts, terminal_text, write_report
from nnunet_skipx.report.swap import swapped_in
from nnunet_skipx.report.twins import trainer_in
from nnunet_skipx.results.citations import citation
from nnunet_skipx.results.dice import CONVENTIONS, Convention
from nnunet_skipx.results.lesions import LesionRule
from nnunet_skipx.results.presence import presence
from nnunet_skipx.results.protocols import require_one_protocol_for_the_same_data
from nnunet_skipx.results.provenance import provenance, splits_digest
from nnunet_skipx.results.row_cost import row_cost
from nnunet_skipx.results.schedules import schedule_remarks, short_training_remark, trainings_of
from nnunet_skipx.results.sizes import structure_sizes
from nnunet_skipx.results.study import Study, read_study
from nnunet_skipx.results.training_log import TrainingLog, read_training_log
from nnunet_skipx.results.wanted import Wanted
from nnunet_skipx.statistics.means import ROPE
from nnunet_skipx.statistics.metric import require_failure, require_margin
from nnunet_skipx.statistics.scores import EmptyRule
from nnunet_skipx.statistics.tails import FAILURE

V = TypeVar("V")


@dataclass(frozen=True)
class ReportOptions:
    """How a report is made.

    test: on the test set, as skipx bench --test predicted it. baseline: the name of a row; None for nnU-Net's own
    trainer where it is one, else the first.
    allow_missing: compare on the folds that all rows have. rope: half the region of practical equivalence, in Dice.
    nsd_mm: tolerances of NSD, one for all data sets or one for each; empty without metrics of boundaries.
    lesions: how they are counted; None: not at all. calibration: with that of the probabilities beside predictions.
    check_metrics: take Dice, NSD and HD95 again with another tool.
    convention: how Dice counts where a class is absent; empty: how it counts between rows.
    references: folder of the true label maps; None for nnU-Net's own. images: of imagesTr; None likewise.
    margins: of non-inferiority, by metric; those that skipx bench wrote down are read besides. covariates, clusters:
    CSV files with a line per case, one for all data sets or one for each; without clusters, patients of
    provenance.json. failure: by metric, beyond which a case failed; 0.5 of Dice where it is not given.
    metrics: beside Dice, those that also have tails, sizes and covariates; empty for NSD and HD95 with misses where
    they are taken. Metrics are named with or without their settings.
    profiles: contents of `skipx profile --json`, for the memory. command: the command line, to be shown.
    """

    test: bool = False
    baseline: str | None = None
    allow_missing: bool = False
    rope: float = ROPE
    nsd_mm: Sequence[float] = ()
    lesions: LesionRule | None = None
    calibration: bool = False
    check_metrics: bool = False
    convention: Convention = "nnunet"
    empty: EmptyRule = "scored"
    references: Path | None = None
    images: Path | None = None
    margins: Mapping[str, float] = field(default_factory=dict)
    covariates: Sequence[Path] = ()
    clusters: Sequence[Path] = ()
    failure: Mapping[str, float] = field(default_factory=dict)
    metrics: Sequence[str] = ()
    profiles: Sequence[dict[str, Any]] = ()
    command: str = ""

    def __post_init__(self) -> None:
        if self.rope <= 0:
            raise ValueError(f"--rope {self.rope:g} is no region: give a difference in Dice, for example {ROPE}")
        for metric, value in self.margins.items():
            require_margin(value, metric)
        for metric, value in self.failure.items():
            require_failure(value, metric)

    def tolerance(self, position: int, datasets: int) -> float | None:
        """NSD's in mm for the data set at that position; None without NSD."""
        return of_dataset(self.nsd_mm, "--nsd-mm", position, datasets)


def of_dataset(values: Sequence[V], option: str, position: int, datasets: int) -> V | None:
    """Of an option with one value for all data sets or one for each, that of a position; None without values."""
    if len(values) not in (0, 1, datasets):
        raise ValueError(f"{option} has {len(values)} values: give one for all data sets, or {datasets}")
    if not values:
        return None
    return values[position if len(values) > 1 else 0]


def report(datasets: Sequence[Sequence[Path]], folds: Sequence[Fold] | None, out: Path, options: ReportOptions) -> str:
    """Write the report into `out`; returns the table for the terminal and where the files are.

    datasets: the model folders of each data set. folds: see `read_study`.
    """
    if options.references is not None and len(datasets) > 1:
        raise ValueError("--references is the folder of one data set: make a report for each, or leave it out")
    if len({folders[0].parent for folders in datasets}) < len(datasets):
        raise ValueError("a data set is named twice, perhaps once by its id and once by its name: name each once")
    comparisons = []
    for position, folders in enumerate(datasets):
        tolerance = options.tolerance(position, len(datasets))
        known = case_files(options, position, len(datasets))
        comparisons.append(read_comparison(folders, folds, out, options, tolerance, known))
    require_one_protocol_for_the_same_data({c.dataset: c.data_protocol for c in comparisons})
    names = ", ".join(comparison.dataset for comparison in comparisons)
    incomplete = " (incomplete)" if any(comparison.incomplete for comparison in comparisons) else ""
    design = "Test set of" if options.test else "Cross-validation on"
    with swapped_in(out, NOT_IN_ALL) as folder:
        written = [write_report(f"{design} {names}{incomplete}", report_parts(comparisons), folder)]
        written += write_exports(comparisons, folder)
    return "\n".join([terminal_text(comparisons), "", *(f"wrote {out / path.name}" for path in written)])


def case_files(options: ReportOptions, position: int, datasets: int) -> CaseFiles:
    """The files with a line per case for the data set at that position."""
    return CaseFiles(
        of_dataset(options.covariates, "--covariates", position, datasets),
        of_dataset(options.clusters, "--cluster", position, datasets),
    )


def read_comparison(
    folders: Sequence[Path],
    folds: Sequence[Fold] | None,
    out: Path,
    options: ReportOptions,
    nsd_mm: float | None,
    known: CaseFiles,
) -> Comparison:
    """Everything about the model folders of one data set."""
    convention = CONVENTIONS[options.convention]
    study = read_study(folders, folds, options.allow_missing, convention.rule, options.test)
    names = list(study.models)
    if options.baseline is not None and options.baseline not in names:
        raise ValueError(f"--baseline {options.baseline!r} is none of the rows: {', '.join(names)}")
    references = options.references or reference_folder(study.dataset, options.test)
    wanted = Wanted(nsd_mm, options.lesions, convention.slice_by_slice, options.calibration)
    if wanted != Wanted() or options.check_metrics:
        study = with_label_map_metrics(study, references, out, wanted, options.check_metrics)
    study, patients = with_clusters(study, known, nnunet_folder(nnUNet_raw, study.dataset))
    stock = next((name for name in names if trainer_in(name).is_stock), names[0])
    models = {name: replicates[0] for name, replicates in study.models.items()}
    logs = {name: training_logs(folder, study.folds) for name, folder in models.items()}
    costs = {name: row_cost(folder, logs[name], options.profiles) for name, folder in models.items()}
    remarks = [cost.remark for cost in costs.values()]
    trainings = trainings_of(study.models, study.folds)
    found = {name: read_inspection(folder, study.folds) for name, folder in models.items()}
    return Comparison(
        dataset=study.dataset,
        table=study.table,
        baseline=options.baseline or stock,
        margins=study_margins(study, options.baseline or stock, options.margins),
        covariates=covariates_of(study, known),
        failure=FAILURE | {taken_name(study, name, "--failure"): value for name, value in options.failure.items()},
        detailed=[taken_name(study, name, "--metrics") for name in options.metrics] or DETAILED,
        dataset_json=study.dataset_json,
        data_protocol=study.protocol,
        rope=options.rope,
        incomplete=study.incomplete,
        test_run=short_training_remark(trainings),
        convention=convention.words,
        # Slice by slice no absent class is without a value: what has none could not be read.
        empty="left-out" if convention.slice_by_slice else options.empty,
        presence=presence(study.models, study.evaluated, study.dataset_json),
        sizes=structure_sizes(study.models, study.evaluated, study.dataset_json, references),
        costs=costs,
        logs={name: by_fold for name, by_fold in logs.items() if by_fold},
        provenance={name: provenance(folder, study.folds) for name, folder in models.items()},
        citations={name: citation(trainer_in(name).text) for name in names},
        inspections={name: inspection for name, inspection in found.items() if inspection is not None},
        model_folders=models,
        ensemble=study.folds if options.test else (),
        images_folder=options.images
        or nnunet_folder(nnUNet_raw, study.dataset, "imagesTs" if options.test else "imagesTr"),
        labels_folder=references,
        settings={
            f"{'test cases' if options.test else 'splits'} (SHA-256 of case and fold)": splits_digest(study.table),
            **({"report made with": options.command} if options.command else {}),
        },
        notes=(*study_notes(study, patients), *schedule_remarks(trainings), *filter(None, remarks)),
    )


def study_notes(study: Study, patients: Sequence[str]) -> tuple[str, ...]:
    """What a reader must know of the data."""
    return (*(study.protocol.notes if study.protocol else ()), *patients, *study.remarks)


def reference_folder(dataset: str, test: bool) -> Path | None:
    """nnU-Net's folder of true label maps; None where it is not there."""
    if test:
        return nnunet_folder(nnUNet_raw, dataset, "labelsTs")
    return nnunet_folder(nnUNet_preprocessed, dataset, "gt_segmentations")


def nnunet_folder(root: Any, *names: str) -> Path | None:
    """A folder inside one of nnU-Net's; None where it is not set or the folder is not there."""
    folder = Path(os.fspath(root), *names) if root.is_set() else None
    return folder if folder is not None and folder.is_dir() else None


def with_label_map_metrics(
    study: Study, references: Path | None, out: Path, wanted: Wanted, check: bool = False
) -> Study:
    """The study with the metrics of `label_map_metrics` in its table; Dice from there takes the place of nnU-Net's.

    check: compare with a second tool, and remark what it found.

    Raises:
        FileNotFoundError: no folder of references; or as `label_map_metrics`.
        RuntimeError: the second tool is not installed.
    """
    from nnunet_skipx.results.label_maps import label_map_metrics  # MONAI takes seconds to import
    from nnunet_skipx.results.metric_check import check_metrics, check_remark, require_second_tool

    if references is None:
        raise FileNotFoundError(
            f"the true label maps of {study.dataset} are needed, but {_where(study)}: set it, or give --references"
        )
    if check:
        require_second_tool()
    cache = out / "label_maps.json"
    more, problems = label_map_metrics(study.models, study.table, references, study.dataset_json, wanted, cache)
    kept = study.table[study.table["metric"] != "Dice"] if wanted.slice_dice else study.table
    table = pd.concat([kept, more], ignore_index=True)
    if check:
        problems.append(check_remark(check_metrics(study.models, table, references, study.dataset_json, wanted)))
    return replace(study, table=table, remarks=(*study.remarks, *problems))


def _where(study: Study) -> str:
    """That nnU-Net's folder of true label maps is missing."""
    on_test_set = isinstance(study.evaluated[0], str)
    variable, name = ("nnUNet_raw", "labelsTs") if on_test_set else ("nnUNet_preprocessed", "gt_segmentations")
    return f"{variable} is not set, or has no folder {study.dataset}/{name}"


def training_logs(folder: Path, folds: Sequence[int]) -> dict[int, TrainingLog]:
    """The logs of those folds that have one: a copied results folder may have none."""
    return {
        fold: read_training_log(folder / f"fold_{fold}")
        for fold in folds
        if any((folder / f"fold_{fold}").glob("training_log_*.txt"))
    }
