"""Synapse multi-organ, 8 organs of BTCV's 30 scans: TransUNet's one split, 18 for training and 12 to be evaluated."""

import functools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from nnunet_skipx.datasets.btcv import LABELLED, LICENCE, ORGANS, labelled_cases
from nnunet_skipx.datasets.recipe import CT, Case, Options, Recipe, Record, single_split
from nnunet_skipx.datasets.slices import write_slices, write_stored
from nnunet_skipx.datasets.source import contents, files_by_key, find_folder, listing, require_folder, require_keys

TEST = tuple(f"{number:04d}" for number in (1, 2, 3, 4, 8, 22, 25, 29, 32, 35, 36, 38))
TRAIN = tuple(number for number in LABELLED if number not in TEST)
LABEL_MAPS = {  # BTCV's id -> id in publications that follow ...
    "transunet": {8: 1, 4: 2, 3: 3, 2: 4, 6: 5, 11: 6, 1: 7, 7: 8},
    "samed": {1: 1, 2: 2, 3: 3, 4: 4, 6: 5, 7: 6, 8: 7, 11: 8},
}
TITLES = {"transunet": "TransUNet", "samed": "SAMed"}
LAYOUTS = "RawData with Training/img and Training/label, or TransUNet's folder with train_npz and test_vol_h5"
SLICE_NAME, VOLUME_NAME = r"case(\d{4})_slice(\d+)\.npz", r"case(\d{4})\.npy\.h5"
TRAINING_SLICES = 2211
LOST = (
    "made from TransUNet's npz and h5: CT values are clipped and scaled to [0, 1], orientation is as stored there, "
    "and the spacing is lost (1 mm is written): read Dice only, distances are in voxels"
)


def read(source: Path, options: Options) -> Recipe:
    """The recipe of either layout; raises FileNotFoundError and ValueError for what does not fit."""
    if options.label_map not in LABEL_MAPS:
        raise ValueError("synapse needs --label-map transunet or samed: publications number the organs differently")
    title, ids = TITLES[options.label_map], LABEL_MAPS[options.label_map]
    labels = {"background": 0} | {ORGANS[btcv]: here for btcv, here in sorted(ids.items(), key=lambda pair: pair[1])}
    from_slices = holds_slices(source)
    cases = sliced_cases(source, options) if from_slices else raw_cases(source, options)
    return Recipe(
        name=f"Synapse8{title}{'Slices' if from_slices else ''}",
        protocol=f"Synapse-8 {title} 18/12{' from slices' if from_slices else ''}",
        data="BTCV",
        source=source,
        channel_names=CT,
        labels=labels,
        file_ending=".nii.gz",
        cases=cases,
        expected=len(TRAIN) + len(TEST),
        splits=single_split(cases, {f"case{number}" for number in TEST}),
        about=LICENCE,
        notes=(LOST, *slice_count_note(cases)) if from_slices else (),
        finish=functools.partial(check_label_map, labels) if from_slices else None,
    )


def holds_slices(source: Path) -> bool:
    """Whether the source is TransUNet's preprocessed form; ValueError when it is neither or both."""
    raw, slices = find_folder(source, "Training"), find_folder(source, "train_npz")
    if raw and slices:
        raise ValueError(f"{source} holds both {raw} and {slices}: give the one to convert")
    if not (raw or slices):
        raise FileNotFoundError(f"{source} is not the download: expected {LAYOUTS}; there are: {contents(source)}")
    return slices is not None


def raw_cases(source: Path, options: Options) -> list[Case]:
    """The 30 scans with their labels mapped; the organs that the eight leave out become background."""
    ids = {number: LABEL_MAPS[options.label_map].get(number, 0) for number in range(len(ORGANS))}
    return labelled_cases(source, ids, options.allow_missing)


def sliced_cases(source: Path, options: Options) -> list[Case]:
    """18 stacks of npz slices and 12 h5 volumes; ValueError where a case lies on the wrong side of the split."""
    train_folder, test_folder = require_folder(source, "train_npz"), require_folder(source, "test_vol_h5")
    stacks = slices_by_case(train_folder, options.allow_missing)
    volumes = files_by_key(test_folder, VOLUME_NAME)
    for found, wanted, folder, name in (
        (stacks, TRAIN, train_folder, "case{}_slice000.npz"),
        (volumes, TEST, test_folder, "case{}.npy.h5"),
    ):
        require_keys(found, wanted, folder, name, options.allow_missing)
        if wrong := sorted(set(found) - set(wanted)):
            raise ValueError(f"{folder} holds case{wrong[0]}, expected only the cases {', '.join(wanted)}: remove it")
    cases = [Case(f"case{key}", "Tr", files, files, write_slices, key) for key, files in stacks.items()]
    return cases + [Case(f"case{key}", "Tr", (path,), (path,), write_stored, key) for key, path in volumes.items()]


def slices_by_case(folder: Path, allow_missing: bool) -> dict[str, tuple[Path, ...]]:
    """The slices of each case from the first on; a case that lacks one between raises, or is left out if allowed."""
    numbered: dict[str, dict[int, Path]] = {}
    for path in listing(folder):
        if match := re.fullmatch(SLICE_NAME, path.name, re.IGNORECASE):
            numbered.setdefault(match[1], {})[int(match[2])] = path
    complete = {key: slices for key, slices in sorted(numbered.items()) if max(slices) == len(slices) - 1}
    for key in sorted(numbered.keys() - complete.keys()):
        gap = min(set(range(max(numbered[key]))) - numbered[key].keys())
        require_keys((), [key], folder, f"case{{}}_slice{gap:03d}.npz", allow_missing)
    return {key: tuple(slices[number] for number in sorted(slices)) for key, slices in complete.items()}


def slice_count_note(cases: Sequence[Case]) -> tuple[str, ...]:
    """A note when the training slices are not as many as published."""
    count = sum(len(case.image) for case in cases if case.write is write_slices)
    return () if count == TRAINING_SLICES else (f"train_npz holds {count} slices, published are {TRAINING_SLICES}",)


def check_label_map(
    labels: Mapping[str, int], folder: Path, number: int, records: Sequence[Record], processes: int
) -> None:
    """ValueError where the organs' sizes show that the slices are numbered by the other map."""
    voxels = Counter[int]()
    for record in records:
        voxels.update(record.written.label_counts)
    small, large = voxels[labels["gallbladder"]], voxels[labels["right kidney"]]
    if small > large:
        raise ValueError(
            f"with this --label-map the gallbladder would be larger than the right kidney ({small} and {large} voxels "
            "in all cases): the slices are numbered by the other one"
        )
