"""Medical Segmentation Decathlon (MSD) task folders: checked first, then handed to nnU-Net's own converter."""

import functools
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnunetv2.dataset_conversion.convert_MSD_dataset import convert_msd_dataset

from nnunet_skipx.datasets.destination import VARIABLES
from nnunet_skipx.datasets.nifti import Volume, read_image, read_label
from nnunet_skipx.datasets.recipe import Case, Options, Recipe, Record, Written, five_folds
from nnunet_skipx.datasets.volumes import ROUNDING_MM, farthest_corner, label_counts, relabelled, require_same_size
from nnunet_skipx.nnunet.json_files import CHANNELS
from nnunet_skipx.system.files import not_a_folder, write_bytes
from nnunet_skipx.system.json_files import anything, integer, like, list_of, object_of, read_json, record, text
from nnunet_skipx.system.variables import environment

SUFFIX = ".nii.gz"
FOLDERS = ("imagesTr", "labelsTr", "imagesTs")
DESCRIPTION = record(
    {
        "modality": CHANNELS,
        "labels": object_of(text, keys=like(r"\d{1,5}", "a label's number"), fewest=1),
        "numTraining": integer(1, 10**9),
        "training": list_of(record({"image": text, "label": text}), 1),
        "test": list_of(anything),
    }
)
LABELLED_CASES = {1: 484, 2: 20, 3: 131, 4: 260, 5: 32, 6: 63, 7: 281, 8: 303, 9: 41, 10: 126}  # by task


def read(source: Path, options: Options) -> Recipe:
    """The recipe of a folder TaskNN_Name; raises FileNotFoundError and ValueError for what does not fit."""
    source = absolute(source)
    task, name = task_and_name(source)
    description = read_description(source)
    check_names(source, description)
    labels, channels = known_labels(source, description), len(description["modality"])
    check = functools.partial(check_case, channels=channels, label_ids={number: number for number in labels.values()})
    files = {folder: nifti_files(source / folder) for folder in FOLDERS}
    labels_of = files["labelsTr"]
    training = [Case(case, "Tr", (path,), (labels_of[case],), check) for case, path in files["imagesTr"].items()]
    splits = five_folds([case.name for case in training])
    return Recipe(
        name=name,
        protocol=f"MSD Task{task:02d} {name} {f'{len(splits)}-fold' if splits else 'without folds'}",
        data=f"MSD Task{task:02d}",
        source=source,
        channel_names=description["modality"],
        labels=labels,
        file_ending=SUFFIX,
        cases=[*training, *(Case(case, "Ts", (path,), (), check) for case, path in files["imagesTs"].items())],
        expected=LABELLED_CASES.get(task, len(training)),
        splits=splits,
        also_read=[source / "dataset.json"],
        finish=functools.partial(convert_with_nnunet, source),
    )


def absolute(source: Path) -> Path:
    """The folder with a name, also for `.`; links are kept, because the name of the link may be the task's."""
    return Path(os.path.abspath(source))


def task_and_name(source: Path) -> tuple[int, str]:
    """Number and name of a folder TaskNN_Name; ValueError for another one."""
    name = absolute(source).name
    match = re.fullmatch(r"Task(\d{1,9})_([^_]+)", name, re.ASCII)
    if match is None:
        raise ValueError(f"{source} is not called TaskNN_Name, for example Task04_Hippocampus: rename the folder")
    return int(match[1]), match[2]


def check_case(case: Case, image_target: Path, label_target: Path, channels: int, label_ids: dict[int, int]) -> Written:
    """Read a case completely; writes nothing, as nnU-Net's converter does. ValueError for what does not fit."""
    image = read_image(case.image[0])
    check_channels(image, channels)
    if not case.label:
        return Written({})
    label = read_label(case.label[0])
    require_same_size(label, image)
    apart = farthest_corner(label.affine, image.affine, label.image.shape[:3])
    notes = (
        ()
        if apart <= ROUNDING_MM
        else (f"{label.path.name}: its grid lies {apart:.3g} mm off its image's; nnU-Net compares voxels and goes on",)
    )
    return Written(label_counts(relabelled(label.voxels, label_ids, label.path)), notes)


def check_channels(image: Volume, channels: int) -> None:
    """ValueError when an image has other channels than dataset.json."""
    shape = image.image.shape
    found = shape[3] if len(shape) == 4 else 1
    if len(shape) not in (3, 4) or found != channels:
        raise ValueError(
            f'{image.path} has the shape {shape}, but dataset.json lists {channels} channel(s): correct "modality" '
            "there, or restore the image"
        )


def convert_with_nnunet(source: Path, folder: Path, number: int, records: Sequence[Record], processes: int) -> None:
    """Run nnU-Net's converter in a place of its own and move what it made to `folder`.

    Raises ValueError when it fails: the cases were read before, so the reason lies in SimpleITK.
    """
    workspace = folder / ".nnunet"
    workspace.mkdir()
    try:
        with environment(dict.fromkeys(VARIABLES, str(workspace))):
            convert_msd_dataset(str(source), number, processes)
    except RuntimeError as error:  # SimpleITK's only kind of error
        largest = max((path.stat().st_size for path in source.glob(f"images*/*{SUFFIX}")), default=0)
        write_bytes(workspace / "room", bytes(largest))  # a full disk is not the source's fault
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f"nnU-Net's converter failed on {source} ({reason}): restore the folder") from error
    for path in next(workspace.iterdir()).iterdir():
        target = folder / path.name
        if target.is_dir():
            target.rmdir()  # made for the cases, which nnU-Net wrote elsewhere
        path.rename(target)
    shutil.rmtree(workspace)


def read_description(source: Path) -> dict[str, Any]:
    """dataset.json of an MSD task folder in which the folders and the keys that nnU-Net needs exist."""
    if not source.is_dir():
        raise FileNotFoundError(f"{not_a_folder(source)}: give the path of an MSD task, such as Task04_Hippocampus")
    path = source / "dataset.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: copy it from the unpacked MSD archive")
    description: dict[str, Any] = read_json(path, DESCRIPTION, "restore the original file")
    for folder in FOLDERS:
        if not (source / folder).is_dir():
            raise FileNotFoundError(
                f"{source / folder} is missing (nnU-Net needs it even when empty): restore it, or: "
                f"mkdir '{source / folder}'"
            )
    return description


def training_names(description: dict[str, Any]) -> list[str]:
    """File names of the training cases; image and label bear the same one (`check_names`)."""
    return [Path(entry["image"]).name for entry in description["training"]]


def nifti_files(folder: Path) -> dict[str, Path]:
    """Case -> file of those that nnU-Net's converter takes."""
    return {path.name.removesuffix(SUFFIX): path for path in sorted(folder.glob("[!._]*" + SUFFIX))}


def check_names(source: Path, description: dict[str, Any]) -> None:
    """dataset.json and the folders name the same cases, as nnU-Net takes whatever lies in the folders."""
    listing, names = source / "dataset.json", training_names(description)
    for entry, name in zip(description["training"], names, strict=True):
        if Path(entry["label"]).name != name or not name.endswith(SUFFIX):
            raise ValueError(f"{listing} pairs {entry['image']} with {entry['label']}: both must be named CASE{SUFFIX}")
    for folder in ("imagesTr", "labelsTr"):
        present = {path.name for path in nifti_files(source / folder).values()}
        if missing := sorted(set(names) - present):
            raise FileNotFoundError(
                f"{source / folder / missing[0]} is listed in {listing} but missing ({len(missing)} in all): restore "
                "it or remove the case from dataset.json"
            )
        if extra := sorted(present - set(names)):
            raise ValueError(
                f"{source / folder / extra[0]} is not listed in {listing} ({len(extra)} in all): list it or remove it"
            )
    if not description["numTraining"] == len(set(names)) == len(names) > 0:
        raise ValueError(
            f'{listing} says "numTraining": {description["numTraining"]}, but lists {len(set(names))} different '
            "training cases: correct it"
        )


def known_labels(source: Path, description: dict[str, Any]) -> dict[str, int]:
    """Names and ids of dataset.json's labels: 0, 1, 2, ... without a gap, each with a name, as nnU-Net needs them."""
    labels, path = description["labels"], source / "dataset.json"
    if sorted(labels) != sorted(map(str, range(len(labels)))) or labels.get("0") != "background":
        raise ValueError(f'{path} has the labels {labels}: nnU-Net needs "0": "background", "1", "2", ... without gaps')
    if len(set(labels.values())) < len(labels):
        raise ValueError(f"{path} gives one name to several labels ({labels}): rename one")
    if "ignore" in labels.values() and labels[str(len(labels) - 1)] != "ignore":
        raise ValueError(f"{path} has the labels {labels}: nnU-Net needs the ignore label last, so renumber them")
    return {name: int(number) for number, name in labels.items()}
