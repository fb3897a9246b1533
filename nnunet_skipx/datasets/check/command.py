"""`skipx data check`: what a careful colleague would look at before training on a data set."""

import functools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from nnunet_skipx.datasets.check.case import Reading, record_case
from nnunet_skipx.datasets.check.description import read_dataset
from nnunet_skipx.datasets.check.findings import case_findings
from nnunet_skipx.datasets.check.folds import (
    PATIENTS_UNKNOWN,
    Patients,
    patient_findings,
    patients_by_pattern,
    patients_in,
    protocol_findings,
    read_splits,
    split_findings,
)
from nnunet_skipx.datasets.check.junk import junk_note
from nnunet_skipx.datasets.check.page import write_page
from nnunet_skipx.datasets.check.place import find_dataset
from nnunet_skipx.datasets.check.records import RawDataset
from nnunet_skipx.datasets.check.summary import headline, summary_table
from nnunet_skipx.datasets.check.together import findings_together
from nnunet_skipx.datasets.check.words import Finding, in_order, problem, verdict
from nnunet_skipx.datasets.convert import PROVENANCE_FILE
from nnunet_skipx.datasets.destination import PREPROCESSED, SPLITS_FILE
from nnunet_skipx.datasets.parallel import in_parallel
from nnunet_skipx.datasets.protocol import protocol_in
from nnunet_skipx.datasets.recipe import Splits
from nnunet_skipx.nnunet.names import dataset_number
from nnunet_skipx.system.escaping import terminal
from nnunet_skipx.system.next_steps import go_on
from nnunet_skipx.system.os_errors import require_writable_file
from nnunet_skipx.system.text_table import text_table

AT_MOST = 5  # findings of one kind on the terminal; the page has all


def check_dataset(dataset: str, patient: str | None, out: Path | None, processes: int) -> int:
    """Print and write what was found in a data set of nnUNet_raw; returns 1 where there is a problem, else 0.

    patient: regular expression. Raises FileNotFoundError and ValueError where nothing can be checked.
    """
    raw, findings = read_dataset(find_dataset(dataset))
    page = out or Path(f"skipx_data_{raw.folder.name}.html")
    require_writable_file(page, "-o")
    splits, notes = check_folds(raw, patient, findings)
    notes += junk_note(raw.folder, raw.file_ending)
    reading = Reading(raw.folder, raw.reader, raw.labels, raw.is_rgb)
    check = functools.partial(record_case, reading=reading)
    records = in_parallel(check, raw.cases, processes, f"Checking {raw.folder.name}")
    for record in records:
        findings += case_findings(record, raw)
    findings = in_order([*findings, *findings_together(records, raw, splits)])
    rows = summary_table(records, raw)
    print("\n".join([raw.folder.name, terminal(headline(records, raw)), "", *([text_table(rows), ""] if rows else [])]))
    print("\n".join([*terminal_lines(findings), *notes]))
    write_page(page, raw, records, findings, notes, rows)
    print(f"wrote {page}")
    has_problem = any(finding.grade == "problem" for finding in findings)
    number = dataset_number(raw.folder.name)
    again = ["skipx", "data", "check", "-d", number]
    print(go_on(again if has_problem else ["nnUNetv2_plan_and_preprocess", "-d", number]))
    return int(has_problem)


def check_folds(raw: RawDataset, pattern: str | None, findings: list[Finding]) -> tuple[Splits | None, list[str]]:
    """The folds that nnU-Net will use and what could not be checked; what is wrong with them goes to `findings`."""
    patients, notes = known_patients(raw, pattern, findings)
    if not os.environ.get(PREPROCESSED):
        return None, [f"Folds were not checked: the variable {PREPROCESSED} is not set.", *notes]
    path = Path(os.environ[PREPROCESSED]) / raw.folder.name / SPLITS_FILE
    splits, fixed_by = None, ""
    try:
        splits = read_splits(path)
    except ValueError as error:
        findings.append(problem("Folds", str(error)))
    else:
        of_protocol = list(protocol_findings(raw, splits, path))
        findings += of_protocol
        if splits is None and not of_protocol:
            notes = [f"There is no {path}: nnU-Net will draw its own folds at random.", *notes]
        protocol = protocol_in(raw.description)
        fixed_by = protocol.name if protocol and not of_protocol else ""
    findings += split_findings(splits or [], raw.training)
    findings += patient_findings(splits, patients, set(raw.training), fixed_by)
    return splits, notes


def known_patients(raw: RawDataset, pattern: str | None, findings: list[Finding]) -> tuple[Patients, list[str]]:
    """Case -> patient, and a sentence where that is not known of all cases; ValueError for a useless pattern."""
    cases = [case.name for case in raw.cases]
    patients: Patients = {}
    if pattern is not None:
        patients = patients_by_pattern(cases, pattern)
    else:
        try:
            patients = patients_in(raw.folder / PROVENANCE_FILE)
        except ValueError as error:
            findings.append(problem("Files", str(error)))
    unknown = [case for case in cases if case not in patients]
    if len(unknown) == len(cases):
        return {}, [PATIENTS_UNKNOWN]
    notes = [f"The patient of {len(unknown)} cases is not known, such as {unknown[0]}."] if unknown else []
    return {case: patients[case] for case in cases if case in patients}, notes


def terminal_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """The findings, the first of each kind and grade only, and their numbers."""
    told = Counter[tuple[str, str]]()
    for finding in findings:
        told[finding.grade, finding.kind] += 1
        if told[finding.grade, finding.kind] <= AT_MOST:
            yield terminal(f"{finding.grade}: {finding.text}")
    for (grade, kind), count in told.items():
        if count > AT_MOST:
            yield f"... and {count - AT_MOST} more of {count} {grade}s about {kind.lower()}: see the page"
    yield verdict(findings)
