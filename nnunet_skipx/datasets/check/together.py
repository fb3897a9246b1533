"""What is wrong or odd when all cases are seen together: rare labels, duplicates, CT that is none."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from nnunet_skipx.datasets.check.geometry import geometry_across
from nnunet_skipx.datasets.check.records import CaseRecord, RawDataset
from nnunet_skipx.datasets.check.words import Finding, number, problem, remark
from nnunet_skipx.datasets.recipe import FOLDS, Splits

CT_NAME, FAT_HU = "ct", -100  # every scan of a body has fat, if not air, below
HOUNSFIELD = "expected Hounsfield units with air at -1000 and fat at -100: do not shift, scale or clip CT"


def findings_together(records: Sequence[CaseRecord], dataset: RawDataset, splits: Splits | None) -> list[Finding]:
    """All that cases tell only together. splits: None where nnU-Net will draw its own."""
    return [
        *geometry_across(records),
        *rare_labels(records, dataset),
        *duplicates(records, splits),
        *not_hounsfield(records, dataset),
    ]


def rare_labels(records: Sequence[CaseRecord], dataset: RawDataset) -> Iterator[Finding]:
    """Labels and regions that are in no training case, or in too few for every fold to see one."""
    labelled = [(record.name, record.volumes(dataset.labels)) for record in records if record.label]
    for name in dataset.labels.regions if labelled else ():
        holding = [case for case, volumes in labelled if volumes[name]]
        if not holding:
            text = f"label {name} of dataset.json is in none of the {len(labelled)} label files and cannot be learnt"
            yield problem("Labels", f"{text}: correct the files, or remove the label and renumber the others")
        elif len(holding) < min(FOLDS, len(labelled)):
            text = f"label {name} is in {len(holding)} of {len(labelled)} cases only ({', '.join(holding)})"
            yield remark("Labels", f"{text}: not all of {FOLDS} folds can be validated on it", *holding)


def duplicates(records: Sequence[CaseRecord], splits: Splits | None) -> Iterator[Finding]:
    """Cases with the same image; constant ones are told of elsewhere."""
    same: dict[str, list[CaseRecord]] = defaultdict(list)
    for record in records:
        if record.digest and not all(channel.is_constant for channel in record.channels):
            same[record.digest].append(record)
    for group in same.values():
        if len(group) > 1:
            grade, consequence = leak(group, splits)
            names = [record.name for record in group]
            files = ", ".join(record.channels[0].file for record in group)
            text = f"cases {', '.join(names)} have the same image, voxel by voxel ({files}), expected different ones"
            yield grade("Duplicates", f"{text}{consequence}: keep one of them", *names)


def leak(group: Sequence[CaseRecord], splits: Splits | None) -> tuple[Callable[..., Finding], str]:
    """How bad it is that these are the same, and why."""
    if len({record.part for record in group}) > 1:
        return problem, "; what is in imagesTr is no test"
    if group[0].part == "Ts":
        return remark, ""
    if splits is None:
        return problem, "; the folds that nnU-Net draws may train on one and validate on another"
    names = {record.name for record in group}
    leaking = [i for i, fold in enumerate(splits) if names & {*fold["train"]} and names & {*fold["val"]}]
    if not leaking:
        return remark, ""
    return problem, f"; fold {', '.join(map(str, leaking))} trains on one and validates on another"


def not_hounsfield(records: Sequence[CaseRecord], dataset: RawDataset) -> Iterator[Finding]:
    """Channels named CT without a value below that of fat; one remark where no case has any."""
    for position in (i for i, name in enumerate(dataset.channel_names) if name.casefold() == CT_NAME):
        scans = [(record.name, record.channels[position]) for record in records if len(record.channels) > position]
        odd = [(case, scan) for case, scan in scans if scan.low > FAT_HU and not scan.is_constant]
        if len(odd) == len(scans) > 1:
            low, high = min(scan.low for _, scan in odd), max(scan.high for _, scan in odd)
            text = f"channel {position} (CT) has values from {number(low)} to {number(high)} in all {len(odd)} cases"
            yield remark("Intensities", f"{text}, {HOUNSFIELD}")
            continue
        for case, scan in odd:
            text = f"case {case}: {scan.file} has values from {number(scan.low)} to {number(scan.high)}"
            yield remark("Intensities", f"{text}, {HOUNSFIELD}", case)
