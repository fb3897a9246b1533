"""Folds: the cases of splits_final.json, patients on both sides of a fold, and the protocol's validation cases."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote

from nnunet_skipx.datasets.check.records import RawDataset
from nnunet_skipx.datasets.check.words import Finding, problem, remark
from nnunet_skipx.datasets.convert import PROVENANCE_FILE
from nnunet_skipx.datasets.destination import SPLITS_FILE
from nnunet_skipx.datasets.protocol import fold_digest, protocol_in
from nnunet_skipx.datasets.recipe import Splits
from nnunet_skipx.nnunet.json_files import SPLITS, read_provenance
from nnunet_skipx.system.json_files import read_json

KIND = "Folds"
PATIENTS_UNKNOWN = (
    f"Whether train and val of a fold share a patient was not checked, as {PROVENANCE_FILE} names no patients: say "
    "what in a case's name tells the patient, for example --patient 'patient\\d+'."
)
Patients = Mapping[str, str]  # case -> its patient, where known


def read_splits(path: Path) -> Splits | None:
    """The folds that nnU-Net will use; None where it will draw its own, ValueError where the file is none."""
    if not path.is_file():
        return None
    splits: Splits = read_json(path, SPLITS)
    return splits


def patients_by_pattern(cases: Sequence[str], pattern: str) -> Patients:
    """What a regular expression, or its first group, finds in each name.

    Raises ValueError for no regular expression, and for one that finds nothing.
    """
    try:
        matches = {case: re.search(pattern, case) for case in cases}
    except re.error as error:
        raise ValueError(f"--patient {pattern!r} is no regular expression ({error}): try 'patient\\d+'") from error
    found = {case: match.group(min(match.re.groups, 1)) or match[0] for case, match in matches.items() if match}
    if not found:
        raise ValueError(f"--patient {pattern!r} is found in none of the cases, such as {cases[0]}: correct it")
    return found


def patients_in(provenance: Path) -> Patients:
    """What `skipx convert` wrote down; ValueError for a file that is none."""
    known: Patients = read_provenance(provenance).get("patients", {}) if provenance.is_file() else {}
    return known


def split_findings(splits: Splits, cases: Sequence[str]) -> Iterator[Finding]:
    """Cases that are unknown, on both sides of a fold, validated twice or never."""
    for position, fold in enumerate(splits):
        where = f"fold {position} of {SPLITS_FILE}"
        for name in sorted({*fold["train"], *fold["val"]} - {*cases}):
            text = f"{where} names case {name}, which is not among the {len(cases)} training cases"
            yield problem(KIND, f"{text}: restore the case, or correct the file")
        for name in sorted({*fold["train"]} & {*fold["val"]}):
            text = f"case {name} is in train and in val of {where}, expected in one of them"
            yield problem(KIND, f"{text}: correct the file", name)
    validated = Counter(name for fold in splits for name in fold["val"])
    for name, times in sorted(validated.items()):
        if times > 1:
            text = f"case {name} is validated {times} times in {SPLITS_FILE}, expected once"
            yield problem(KIND, f"{text}: its result would count {times} times; correct the file", name)
    yield from never_used(splits, cases, set(validated))


def never_used(splits: Splits, cases: Sequence[str], validated: Collection[str]) -> Iterator[Finding]:
    """Cases that no fold validates; where there is only one fold, those that it does not know at all."""
    is_single = len(splits) == 1
    used = {*splits[0]["train"], *splits[0]["val"]} if is_single else validated
    never = "in neither part of the only fold" if is_single else "validated in no fold"
    for name in cases if splits else ():
        if name not in used:
            yield remark(KIND, f"case {name} is {never} of {SPLITS_FILE}: add it unless that is meant", name)


def patient_findings(
    splits: Splits | None, patients: Patients, training: Collection[str], protocol: str
) -> Iterator[Finding]:
    """Patients on both sides of a fold, or with some cases in `training` and others in imagesTs.

    protocol: the name of that which fixes the folds, else empty.
    """
    cases: dict[str, list[str]] = defaultdict(list)
    for case, patient in patients.items():
        cases[patient].append(case)
    trained = {patient: [case for case in its if case in training] for patient, its in cases.items()}
    for patient, its in cases.items():
        if 0 < len(trained[patient]) < len(its):
            text = f"patient {patient} has cases in imagesTr and in imagesTs ({', '.join(its)})"
            yield remark("Patients", f"{text}: on these the test is not independent", *its)
    several = {patient: its for patient, its in trained.items() if len(its) > 1}
    if splits is None and several:
        patient, its = next(iter(several.items()))
        text = f"{len(several)} patients have several cases, such as {patient} ({', '.join(its)}), and nnU-Net's own"
        yield remark("Patients", f"{text} folds part them: write a {SPLITS_FILE} that keeps patients together", *its)
    for position, fold in enumerate(splits or ()):
        sides = {part: set(fold[part]) for part in ("train", "val")}
        for patient, its in several.items():
            train, val = (", ".join(case for case in its if case in side) for side in sides.values())
            if train and val:
                text = f"fold {position} of {SPLITS_FILE} trains on case {train} and validates on case {val}"
                cure = f"{protocol} has it so" if protocol else "keep a patient's cases together"
                tell = remark if protocol else problem
                yield tell("Patients", f"{text}, all of patient {patient}: {cure}", *its)


def protocol_findings(dataset: RawDataset, splits: Splits | None, path: Path) -> Iterator[Finding]:
    """Folds other than those of the protocol in dataset.json. path: where nnU-Net looks for its splits."""
    protocol = protocol_in(dataset.description)
    if protocol is None or not protocol.folds:
        return
    own = dataset.folder / SPLITS_FILE
    copy = f"mkdir -p {quote(str(path.parent))} && cp {quote(str(own))} {quote(str(path))}"
    cure = copy if own.is_file() else "convert the data set again"
    expected = f"the {len(protocol.folds)} folds of the protocol {protocol.name} in dataset.json"
    digests = tuple(fold_digest(fold["val"]) for fold in splits or ())
    if splits is None:
        yield problem(KIND, f"{path} is missing, expected {expected}: {cure}")
    elif len(digests) != len(protocol.folds):
        yield problem(KIND, f"{path} has {len(digests)} folds, expected {expected}: {cure}")
    elif digests != protocol.folds:
        other = [str(i) for i, pair in enumerate(zip(digests, protocol.folds, strict=True)) if pair[0] != pair[1]]
        yield problem(KIND, f"{path} validates fold {', '.join(other)} on other cases, expected {expected}: {cure}")
