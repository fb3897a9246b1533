"""What is wrong or odd when all cases are seen together."""

from collections.abc import Iterator, Sequence

from nnunet_skipx.datasets.check.duplicates import duplicates
from nnunet_skipx.datasets.check.geometry import geometry_across
from nnunet_skipx.datasets.check.intensities import not_hounsfield, other_scales
from nnunet_skipx.datasets.check.records import CaseRecord, RawDataset
from nnunet_skipx.datasets.check.words import Finding, problem, remark
from nnunet_skipx.datasets.recipe import FOLDS, Splits


def findings_together(records: Sequence[CaseRecord], dataset: RawDataset, splits: Splits | None) -> list[Finding]:
    """All that cases tell only together. splits: None where nnU-Net will draw its own."""
    return [
        *geometry_across(records),
        *rare_labels(records, dataset),
        *duplicates(records, splits),
        *other_scales(records, dataset),
        *not_hounsfield(records, dataset),
    ]


def rare_labels(records: Sequence[CaseRecord], dataset: RawDataset) -> Iterator[Finding]:
    """Labels and regions that are in no training case, or in too few for every fold to see one."""
    labelled = [(record.name, record.volumes(dataset.labels)) for record in records if record.is_training_label]
    for name in dataset.labels.regions if labelled else ():
        holding = [case for case, volumes in labelled if volumes[name]]
        if not holding:
            text = f"label {name} of dataset.json is in none of the {len(labelled)} label files and cannot be learnt"
            yield problem("Labels", f"{text}: correct the files, or remove the label and renumber the others")
        elif len(holding) < min(FOLDS, len(labelled)):
            text = f"label {name} is in {len(holding)} of {len(labelled)} cases only ({', '.join(holding)})"
            yield remark("Labels", f"{text}: not all of {FOLDS} folds can be validated on it", *holding)
