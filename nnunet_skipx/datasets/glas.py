"""GlaS (Warwick-QU), glands in histology: 85 pictures for training, the 80 of both test sets to be evaluated."""

import csv
import functools
from pathlib import Path

from nnunet_skipx.datasets.pictures import any_value, write_picture
from nnunet_skipx.datasets.recipe import RGB, Case, Options, Recipe, split_by_prefix
from nnunet_skipx.datasets.source import (
    contents,
    files_by_key,
    find_folder,
    require_count,
    require_folder,
    require_keys,
    search,
)

NUMBERS = {"train": 85, "testA": 60, "testB": 20}
PARTS = {"Train_Folder": 85, "Test_Folder": 80}
PICTURE, ANNOTATION = r"((?:train|testA|testB)_\d+)\.bmp", r"((?:train|testA|testB)_\d+)_anno\.bmp"
GRADES = r"(grade)\.csv"
NUMBERED = r"(\d+)\.(?:png|bmp|jpg|jpeg|tif)"
LAYOUTS = "train_1.bmp with train_1_anno.bmp, or Train_Folder and Test_Folder with img and labelcol"
WRITE = functools.partial(write_picture, mask=any_value)
ABOUT = {"reference": "https://doi.org/10.1016/j.media.2016.08.008", "licence": "research only, see the readme there"}


def read(source: Path, options: Options) -> Recipe:
    """The recipe of either layout; raises FileNotFoundError and ValueError for what does not fit."""
    flat = search(source, lambda folder: files_by_key(folder, ANNOTATION))
    if flat is None and find_folder(source, "Train_Folder") is None:
        raise FileNotFoundError(f"{source} is not the download: expected {LAYOUTS}; there are: {contents(source)}")
    cases = flat_cases(flat, options) if flat else foldered_cases(source, options)
    return Recipe(
        name="GlaS",
        protocol="GlaS 85/80",
        data="GlaS",
        source=source,
        channel_names=RGB,
        labels={"background": 0, "gland": 1},
        file_ending=".png",
        cases=cases,
        expected=sum(NUMBERS.values()),
        splits=split_by_prefix(cases, "train"),
        also_read=list(files_by_key(flat, GRADES).values()) if flat else (),
        about=ABOUT,
    )


def flat_cases(root: Path, options: Options) -> list[Case]:
    """The cases train_001, testA_001, ...; the masks hold the glands' numbers. Grade.csv tells the patients."""
    pictures, masks = files_by_key(root, PICTURE), files_by_key(root, ANNOTATION)
    wanted = [f"{part}_{number}" for part, count in NUMBERS.items() for number in range(1, count + 1)]
    for found, ending in ((pictures, ".bmp"), (masks, "_anno.bmp")):
        there = [key for key in wanted if key.lower() in found]
        require_keys(there, wanted, root, f"{{}}{ending}", options.allow_missing)
    patients = patients_of(root)
    return [
        Case(padded(key), "Tr", (pictures[low],), (masks[low],), WRITE, patients.get(low, ""))
        for key in wanted
        if (low := key.lower()) in pictures and low in masks
    ]


def patients_of(root: Path) -> dict[str, str]:
    """Picture -> patient, as Grade.csv lists them; empty without that file."""
    table = files_by_key(root, GRADES).get("grade")
    if table is None:
        return {}
    try:
        with table.open(newline="", errors="replace") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file)]
    except csv.Error as error:
        raise ValueError(f"{table} is no table of comma-separated values ({error}): restore it") from error
    return {row[0].lower(): row[1] for row in rows[1:] if len(row) > 1}


def foldered_cases(source: Path, options: Options) -> list[Case]:
    """The cases train_001, test_001, ... of {Train_Folder, Test_Folder}/{img, labelcol}."""
    cases = []
    for name, count in PARTS.items():
        folder = require_folder(source, name)
        pictures_folder, masks_folder = require_folder(folder, "img"), require_folder(folder, "labelcol")
        pictures, masks = files_by_key(pictures_folder, NUMBERED), files_by_key(masks_folder, NUMBERED)
        wanted = sorted(pictures.keys() | masks.keys(), key=int)
        require_keys(pictures, wanted, pictures_folder, "{}.png", options.allow_missing)
        require_keys(masks, wanted, masks_folder, "{}.png", options.allow_missing)
        part = name.split("_")[0].lower()
        both = [key for key in wanted if key in pictures and key in masks]
        require_count(len(both), count, pictures_folder, "pictures with a mask", options.allow_missing)
        cases += [Case(padded(f"{part}_{key}"), "Tr", (pictures[key],), (masks[key],), WRITE) for key in both]
    return cases


def padded(key: str) -> str:
    """train_1 -> train_001, so that names sort as numbers."""
    part, number = key.split("_")
    return f"{part}_{int(number):03d}"
