"""The files of a data set as nnU-Net finds them, and those that are missing or too many."""

import copy
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from nnunetv2.utilities.utils import get_filenames_of_train_images_and_targets

from nnunet_skipx.datasets.check.junk import is_junk, junk_in, taken_for_cases
from nnunet_skipx.datasets.check.records import CaseFiles
from nnunet_skipx.datasets.check.words import Finding, problem, relative, remark
from nnunet_skipx.datasets.recipe import Part

KIND = "Files"
CHANNEL_NUMBER = r"_\d{4}"
CHANNEL_LENGTH = 5  # nnU-Net takes the last characters of any name for `_0000`


def listed_cases(folder: Path, description: dict[str, Any]) -> tuple[list[CaseFiles], list[Finding]]:
    """Every case with those of its files that exist, training before test, and what is missing or superfluous."""
    ending = description["file_ending"]
    test = cases_in(folder, "Ts", ending)
    findings = [*taken_for_cases(folder, ending, junk_in(folder)), *misnamed(folder / "imagesTs", folder, ending)]
    findings += superfluous_labels(folder, "Ts", {case.name for case in test}, ending)
    if "dataset" in description:  # files anywhere, by their paths
        listed = get_filenames_of_train_images_and_targets(str(folder), copy.deepcopy(description))
        training = [
            CaseFiles(str(name), "Tr", tuple(map(Path, files["images"])), Path(files["label"]))
            for name, files in listed.items()
        ]
    else:
        training = cases_in(folder, "Tr", ending)
        findings += misnamed(folder / "imagesTr", folder, ending)
        findings += superfluous_labels(folder, "Tr", {case.name for case in training}, ending)
    cases = [*training, *test]
    findings += [finding for case in cases for finding in missing_files(case, folder)]
    return [existing(case) for case in cases], findings


def cases_in(folder: Path, part: Part, ending: str) -> list[CaseFiles]:
    """The cases of imagesTr, which should have a label, or of imagesTs, which should where any of them has one."""
    files: dict[str, list[Path]] = {}
    for path in files_in(folder / f"images{part}"):
        if has_channel(path, ending):
            files.setdefault(path.name.removesuffix(ending)[:-CHANNEL_LENGTH], []).append(path)
    labels = folder / f"labels{part}"
    is_labelled = part == "Tr" or any(path.name.endswith(ending) for path in files_in(labels))
    return [
        CaseFiles(name, part, tuple(paths), labels / f"{name}{ending}" if is_labelled else None)
        for name, paths in files.items()
    ]


def files_in(folder: Path) -> list[Path]:
    """Sorted, without what only lies beside images; none where there is no such folder."""
    return sorted(path for path in folder.iterdir() if not is_junk(path)) if folder.is_dir() else []


def has_channel(path: Path, ending: str) -> bool:
    """Whether it is called CASE_0000.nii.gz, with any number and this ending."""
    return re.fullmatch(f".+{CHANNEL_NUMBER}{re.escape(ending)}", path.name) is not None


def misnamed(images: Path, folder: Path, ending: str) -> list[Finding]:
    """Files beside the images that are none, and images without a channel number."""
    findings = []
    for path in files_in(images):
        if path.name.endswith(ending) and not has_channel(path, ending):
            wanted = f"{path.name.removesuffix(ending)}_0000{ending}"
            text = f"{relative(path, folder)} has no channel number: nnU-Net takes it for a case without images"
            findings.append(problem(KIND, f"{text}; call it {wanted}, or remove it"))
        elif not path.name.endswith(ending):
            findings.append(not_read(path, folder, ending))
    return findings


def superfluous_labels(folder: Path, part: Part, cases: Collection[str], ending: str) -> list[Finding]:
    """The files of labelsTr that belong to no training image, or of labelsTs that belong to no test image."""
    findings = []
    for path in files_in(folder / f"labels{part}"):
        case, file = path.name.removesuffix(ending), relative(path, folder)
        if path.name.endswith(ending) and case not in cases:
            text = f"case {case}: {file} has no image, expected images{part}/{case}_0000{ending}"
            findings.append(problem(KIND, f"{text}: restore the image or remove the label"))
        elif not path.name.endswith(ending):
            findings.append(not_read(path, folder, ending))
    return findings


def not_read(path: Path, folder: Path, ending: str) -> Finding:
    """About a file of another kind."""
    text = f"{relative(path, folder)} is not read by nnU-Net, which takes only *{ending} here"
    return remark(KIND, f"{text}: remove it, or convert it if it is a case")


def missing_files(case: CaseFiles, folder: Path) -> Iterator[Finding]:
    """Images and label that should be there."""
    for path in [*case.images, *([case.label] if case.label else [])]:
        if not path.is_file():
            about = f"case {case.name}: {relative(path, folder)} is missing"
            if path != case.label:
                yield problem(KIND, f"{about}: restore it", case.name)
            elif case.part == "Tr":
                yield problem(KIND, f"{about}: restore it, or move the image to imagesTs", case.name)
            else:
                yield remark(KIND, f"{about}, and tests leave out the case: restore it", case.name)


def existing(case: CaseFiles) -> CaseFiles:
    """The same case without files that do not exist."""
    label = case.label if case.label and case.label.is_file() else None
    return CaseFiles(case.name, case.part, tuple(path for path in case.images if path.is_file()), label)
