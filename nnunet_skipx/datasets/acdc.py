"""ACDC, cardiac cine MRI at end-diastole and end-systole: five folds of patients, nnU-Net's own."""

import functools
import re
from pathlib import Path

import numpy as np

from nnunet_skipx.datasets.recipe import Case, Options, Part, Recipe, Splits
from nnunet_skipx.datasets.source import find_folder, listing, require_folder, require_keys
from nnunet_skipx.datasets.volumes import write_volume
from nnunet_skipx.nnunet.names import is_number

LABELS = {"background": 0, "right ventricle": 1, "myocardium": 2, "left ventricle": 3}
TRAINING = tuple(f"{number:03d}" for number in range(1, 101))
INFO = "Info.cfg"
PHASES = ("ED", "ES")
ABOUT = {"reference": "https://doi.org/10.1109/TMI.2018.2837502", "licence": "CC BY-NC-SA 4.0"}


def read(source: Path, options: Options) -> Recipe:
    """The recipe of database/{training, testing}; raises FileNotFoundError and ValueError for what does not fit."""
    training_folder, testing_folder = require_folder(source, "training"), find_folder(source, "testing")
    training = patients(training_folder)
    require_keys(training, TRAINING, training_folder, "patient{}", options.allow_missing)
    if unknown := sorted(set(training) - set(TRAINING)):
        raise ValueError(f"{training[unknown[0]]} is none of the training patients 001 to 100: remove it")
    testing = patients(testing_folder) if testing_folder else {}
    labelled = [case for folder in training.values() for case in cases_of(folder, "Tr", options.allow_missing)]
    unlabelled = [case for folder in testing.values() for case in cases_of(folder, "Ts", options.allow_missing)]
    return Recipe(
        name="ACDC",
        protocol="ACDC 5-fold by patient",
        data="ACDC",
        source=source,
        channel_names={"0": "cineMRI"},
        labels=LABELS,
        file_ending=".nii.gz",
        cases=[*labelled, *unlabelled],
        expected=len(PHASES) * len(TRAINING),
        splits=five_folds_of_patients(labelled),
        also_read=[path for folder in (*training.values(), *testing.values()) if (path := info_of(folder)).is_file()],
        about=ABOUT,
    )


def patients(folder: Path) -> dict[str, Path]:
    """The patients' folders by number."""
    found = {path: re.fullmatch(r"patient(\d{3})", path.name, re.IGNORECASE) for path in listing(folder)}
    return {match[1]: path for path, match in found.items() if match and path.is_dir()}


def cases_of(folder: Path, part: Part, allow_missing: bool) -> list[Case]:
    """The two frames that Info.cfg names, whatever other frames lie there; a patient who lacks one may be left out."""
    info = info_of(folder)
    if not info.is_file() and allow_missing:
        return []
    cases = [frame_case(folder, frame, part, allow_missing) for frame in frame_numbers(info)]
    return [case for case in cases if case is not None] if None not in cases else []


def info_of(folder: Path) -> Path:
    """A patient's Info.cfg, whatever its case, or where it is missing."""
    return next((path for path in listing(folder) if path.name.lower() == INFO.lower()), folder / INFO)


def frame_case(folder: Path, frame: int, part: Part, allow_missing: bool) -> Case | None:
    """One frame, as patientNNN_frameMM; test frames may lack a label."""
    name = f"{folder.name.lower()}_frame{frame:02d}"
    image, label = (find_file(folder, rf"{name}{ending}\.nii(\.gz)?") for ending in ("", "_gt"))
    if image is None or (label is None and part == "Tr"):
        require_keys((), [name if image is None else f"{name}_gt"], folder, "{}.nii.gz", allow_missing)
        return None
    write = functools.partial(write_volume, label_ids={number: number for number in LABELS.values()})
    return Case(name, part, (image,), (label,) if label else (), write, patient=folder.name.lower())


def find_file(folder: Path, pattern: str) -> Path | None:
    """The file of that name; some copies keep each file in a folder of its own name."""
    for path in listing(folder):
        if re.fullmatch(pattern, path.name, re.IGNORECASE):
            return path if path.is_file() else next(iter(listing(path)), None)
    return None


def frame_numbers(info: Path) -> tuple[int, ...]:
    """The frames of end-diastole and end-systole; ValueError where Info.cfg does not tell."""
    if not info.is_file():
        raise FileNotFoundError(f"{info} is missing: it says which frames are end-diastole and end-systole")
    lines = info.read_text(errors="replace").splitlines()
    matches = [re.fullmatch(r"\s*(\w+)\s*:\s*(\S+)\s*", line) for line in lines]
    content = {match[1]: match[2] for match in matches if match}
    for phase in PHASES:
        if not is_number(content.get(phase, "")):
            raise ValueError(f"{info} has no frame for {phase}, expected a line such as {phase}: 1")
    frames = tuple(int(content[phase]) for phase in PHASES)
    if len(set(frames)) < len(frames):
        raise ValueError(f"{info} names frame {frames[0]} for both phases, expected two: restore it")
    return frames


def five_folds_of_patients(cases: list[Case]) -> Splits:
    """The folds of nnU-Net's Dataset027_ACDC: patients shuffled with seed 1234, every fifth one to a fold."""
    patients_in_order = np.unique([case.patient for case in cases])
    np.random.RandomState(1234).shuffle(patients_in_order)
    folds: Splits = []
    for fold in range(5):
        validation = set(patients_in_order[fold::5])
        train, val = ([c.name for c in cases if (c.patient in validation) == is_val] for is_val in (False, True))
        folds.append({"train": sorted(train), "val": sorted(val)})
    return folds
