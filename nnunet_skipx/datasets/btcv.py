"""BTCV, 13 abdominal organs in CT (synapse.org syn3193805): five-fold cross-validation on the 30 labelled scans."""

import functools
from pathlib import Path

from nnunet_skipx.datasets.recipe import CT, Case, Options, Recipe, five_folds
from nnunet_skipx.datasets.source import files_by_key, find_folder, require_folder, require_keys
from nnunet_skipx.datasets.volumes import write_volume

ORGANS = (
    "background",
    "spleen",
    "right kidney",
    "left kidney",
    "gallbladder",
    "esophagus",
    "liver",
    "stomach",
    "aorta",
    "inferior vena cava",
    "portal and splenic vein",
    "pancreas",
    "right adrenal gland",
    "left adrenal gland",
)
LABELLED = tuple(f"{number:04d}" for number in (*range(1, 11), *range(21, 41)))
IMAGE_NAME, LABEL_NAME = r"img(\d{4})\.nii(?:\.gz)?", r"label(\d{4})\.nii(?:\.gz)?"
LICENCE = {"reference": "https://doi.org/10.7303/syn3193805", "licence": "on registration, see synapse.org"}


def read(source: Path, options: Options) -> Recipe:
    """The recipe of RawData/{Training, Testing}; raises FileNotFoundError and ValueError for what does not fit."""
    same_ids = {number: number for number in range(len(ORGANS))}
    training = labelled_cases(source, same_ids, options.allow_missing)
    return Recipe(
        name="BTCV",
        protocol="BTCV-13 5-fold",
        data="BTCV",
        source=source,
        channel_names=CT,
        labels={organ: number for number, organ in enumerate(ORGANS)},
        file_ending=".nii.gz",
        cases=[*training, *unlabelled_cases(source)],
        expected=len(LABELLED),
        splits=five_folds([case.name for case in training]),
        about=LICENCE,
    )


def labelled_cases(source: Path, label_ids: dict[int, int], allow_missing: bool) -> list[Case]:
    """The 30 cases with a label, as case0001 to case0040; ids of the source become those of the data set."""
    folder = require_folder(source, "Training")
    image_folder, label_folder = require_folder(folder, "img", "imgs"), require_folder(folder, "label", "labels")
    images, labels = files_by_key(image_folder, IMAGE_NAME), files_by_key(label_folder, LABEL_NAME)
    for found, place, file_name in ((images, image_folder, "img{}.nii.gz"), (labels, label_folder, "label{}.nii.gz")):
        require_keys(found, LABELLED, place, file_name, allow_missing)
        if unknown := sorted(set(found) - set(LABELLED)):
            raise ValueError(f"{found[unknown[0]]} is none of the 30 training cases (1 to 10, 21 to 40): remove it")
    write = functools.partial(write_volume, label_ids=label_ids)
    both = sorted(images.keys() & labels.keys())
    return [Case(f"case{key}", "Tr", (images[key],), (labels[key],), write, patient=key) for key in both]


def unlabelled_cases(source: Path) -> list[Case]:
    """The test images, as far as they are there: they take no part in any protocol."""
    folder = find_folder(source, "Testing", "Test")
    image_folder = folder and find_folder(folder, "img", "imgs")
    images = files_by_key(image_folder, IMAGE_NAME) if image_folder else {}
    write = functools.partial(write_volume, label_ids={})
    return [Case(f"case{key}", "Ts", (images[key],), (), write, patient=key) for key in sorted(images)]
