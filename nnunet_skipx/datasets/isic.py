"""ISIC 2016 (task 1) and 2018 (task 1), skin lesions in photographs: the official training and test parts."""

import functools
from dataclasses import dataclass
from pathlib import Path

from nnunet_skipx.datasets.pictures import black_and_white, write_picture
from nnunet_skipx.datasets.recipe import RGB, Case, Options, Recipe, split_by_prefix
from nnunet_skipx.datasets.source import (
    contents,
    files_by_key,
    find_folder,
    require_count,
    require_folder,
    require_keys,
)

PICTURE, MASK = r"(isic_\d+)\.jpe?g", r"(isic_\d+)_segmentation\.png"
PARTS = ("train", "test")
ABOUT = {"reference": "https://challenge.isic-archive.com/data", "licence": "CC-0 (2016), CC BY-NC (2018)"}


@dataclass(frozen=True)
class Year:
    """One challenge. Folders (pictures, masks) and the number of cases, for training and for test."""

    folders: tuple[tuple[str, str], tuple[str, str]]
    counts: tuple[int, int]

    @property
    def layout(self) -> str:
        """The four folders."""
        return ", ".join(name for pair in self.folders for name in pair)


YEARS = {
    "2016": Year(
        (
            ("ISBI2016_ISIC_Part1_Training_Data", "ISBI2016_ISIC_Part1_Training_GroundTruth"),
            ("ISBI2016_ISIC_Part1_Test_Data", "ISBI2016_ISIC_Part1_Test_GroundTruth"),
        ),
        (900, 379),
    ),
    "2018": Year(
        (
            ("ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth"),
            ("ISIC2018_Task1-2_Test_Input", "ISIC2018_Task1_Test_GroundTruth"),
        ),
        (2594, 1000),
    ),
}


def read(source: Path, options: Options) -> Recipe:
    """The recipe of the year whose folders are there; raises FileNotFoundError and ValueError for what does not fit."""
    name, year = find_year(source)
    parts = zip(year.folders, year.counts, PARTS, strict=True)
    cases = [case for names, count, part in parts for case in cases_of(source, names, count, part, options)]
    train, test = year.counts
    return Recipe(
        name=f"ISIC{name}",
        protocol=f"ISIC-{name} {train}/{test}",
        data=f"ISIC {name}",
        source=source,
        channel_names=RGB,
        labels={"background": 0, "lesion": 1},
        file_ending=".png",
        cases=cases,
        expected=train + test,
        splits=split_by_prefix(cases, PARTS[0]),
        about=ABOUT,
    )


def find_year(source: Path) -> tuple[str, Year]:
    """The challenge whose training pictures lie in the source; raises when there are none or both years."""
    there = [name for name, year in YEARS.items() if find_folder(source, year.folders[0][0])]
    if len(there) > 1:
        raise ValueError(f"{source} holds ISIC {' and '.join(there)}: give a folder with one of them")
    if not there:
        layouts = " or ".join(year.layout for year in YEARS.values())
        raise FileNotFoundError(
            f"{source} is not the download: expected the folders {layouts}; there are: {contents(source)}"
        )
    return there[0], YEARS[there[0]]


def cases_of(source: Path, names: tuple[str, str], count: int, part: str, options: Options) -> list[Case]:
    """Pictures with their masks, as train_isic_0000000; FileNotFoundError for what is missing."""
    pictures_folder, masks_folder = require_folder(source, names[0]), require_folder(source, names[1])
    pictures, masks = files_by_key(pictures_folder, PICTURE), files_by_key(masks_folder, MASK)
    require_keys(pictures, masks, pictures_folder, "{}.jpg", options.allow_missing)
    require_keys(masks, pictures, masks_folder, "{}_segmentation.png", options.allow_missing)
    both = sorted(pictures.keys() & masks.keys())
    require_count(len(both), count, pictures_folder, "pictures with a mask", options.allow_missing)
    write = functools.partial(write_picture, mask=black_and_white)
    return [Case(f"{part}_{pictures[key].stem}", "Tr", (pictures[key],), (masks[key],), write) for key in both]
