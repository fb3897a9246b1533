"""Medical Segmentation Decathlon (MSD) task folders: checked first, then handed to nnU-Net's own converter."""
import filecmp
import gzip
import json
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK
from nnunetv2.dataset_conversion.convert_MSD_dataset import convert_msd_dataset
from nnunetv2.utilities.dataset_name_id_conversion import find_candidate_datasets
from tqdm import tqdm

SUFFIX = ".nii.gz"
FOLDERS = ("imagesTr", "labelsTr", "imagesTs")
KEYS = {"modality": dict, "labels": dict, "numTraining": int, "training": list, "test": list}
RAW_VARIABLE = "nnUNet_raw"
NNUNET_VARIABLES = (RAW_VARIABLE, "nnUNet_preprocessed", "nnUNet_results")
MAX_PROCESSES = 2
UNREADABLE = (
    EOFError, OSError, ValueError, zlib.error, nibabel.filebasedimages.ImageFileError,
    nibabel.spatialimages.HeaderDataError, nibabel.wrapstruct.WrapStructError,
)


def msd_dataset_name(source: Path, dataset_id: int | None = None) -> str:
    """nnU-Net's name for an MSD task folder, Dataset004_Hippocampus for Task04_Hippocampus.

    Raises ValueError when the folder is not called TaskNN_Name or the id is not within 0 to 999.
    """
    name = absolute(source).name
    match = re.fullmatch(r"Task(\d+)_([^_]+)", name)
    if match is None:
        raise ValueError(f"{source} is not called TaskNN_Name, for example Task04_Hippocampus: rename the folder")
    number = int(match[1]) if dataset_id is None else dataset_id
    if not 0 <= number <= 999:
        raise ValueError(f"dataset id {number} (for {name}) is not within 0 to 999: choose another id")
    return f"Dataset{number:03d}_{match[2]}"


def check_msd_folder(source: Path) -> None:
    """Open every file of an MSD task folder and compare it with dataset.json; writes nothing.

    Raises FileNotFoundError for what is missing and ValueError for what is wrong, with the file and the cure.
    """
    msd_dataset_name(source)
    description = read_description(source)
    check_names(source, description)
    known, channels = known_labels(source, description), len(description["modality"])
    for name in tqdm(training_names(description), desc=f"Checking {absolute(source).name}", disable=None):
        size = check_image(source / "imagesTr" / name, channels)
        check_labels(source / "labelsTr" / name, size, known)
    for name in nifti_names(source / "imagesTs"):
        check_image(source / "imagesTs" / name, channels)


def is_converted(source: Path, dataset_name: str) -> bool:
    """Whether nnUNet_raw holds `dataset_name`, converted from this very source: every file there, labels identical.

    Raises FileNotFoundError or ValueError when the source or the variable nnUNet_raw is unusable.
    """
    description = read_description(source)
    check_names(source, description)
    known_labels(source, description)
    target = nnunet_raw() / dataset_name
    if not (target / "dataset.json").is_file():
        return False
    converted = read_json(target / "dataset.json")
    labels = {name: int(number) for number, name in description["labels"].items()}
    if (converted.get("channel_names"), converted.get("labels")) != (description["modality"], labels):
        return False
    training = training_names(description)
    expected = [("labelsTr", name) for name in training]
    for folder, names in (("imagesTr", training), ("imagesTs", nifti_names(source / "imagesTs"))):
        cases = [name.removesuffix(SUFFIX) for name in names]
        expected += [(folder, f"{case}_{n:04d}{SUFFIX}") for case in cases for n in range(len(description["modality"]))]
    if not all((target / folder / name).is_file() for folder, name in expected):
        return False
    return all(filecmp.cmp(source / "labelsTr" / name, target / "labelsTr" / name, shallow=False) for name in training)


def convert_msd(source: Path, dataset_id: int | None = None) -> str:
    """Check an MSD task folder, convert it into nnUNet_raw with nnU-Net's converter, and return the data set's name.

    The data set appears in nnUNet_raw whole or not at all. Raises ValueError or FileNotFoundError when the source is
    unusable or the id is taken (see `is_converted`), OSError when writing fails.
    """
    source = absolute(source)
    name, raw = msd_dataset_name(source, dataset_id), nnunet_raw()
    check_id_is_free(int(name[7:10]))
    check_msd_folder(source)
    try:
        raw.mkdir(parents=True, exist_ok=True)
        check_space(source, raw)
        with converting_inside(raw) as staging:
            convert_msd_dataset(str(source), dataset_id, MAX_PROCESSES)
            os.rename(staging / name, raw / name)
    except OSError as error:
        raise OSError(
            f"cannot write {raw / name} ({error.strerror or error}): free some space or choose another folder, then "
            "run the command again; nothing was left behind"
        ) from error
    except RuntimeError as error:  # SimpleITK's only kind of error
        raise ValueError(
            f"nnU-Net's converter failed on {source} ({last_line(error)}): restore the folder from the MSD archive"
        ) from error
    return name


def absolute(source: Path) -> Path:
    """The folder with a name, also for `.`; links are kept, because the name of the link may be the task's."""
    return Path(os.path.abspath(source))


def nnunet_raw() -> Path:
    """The folder that the variable nnUNet_raw names; ValueError when it is not set."""
    if not os.environ.get(RAW_VARIABLE):
        raise ValueError(f"the variable {RAW_VARIABLE} is not set: export {RAW_VARIABLE}=FOLDER")
    return Path(os.environ[RAW_VARIABLE])


@contextmanager
def converting_inside(raw: Path) -> Iterator[Path]:
    """Point nnU-Net to a temporary nnUNet_raw on the same disk: a killed conversion never looks like a data set."""
    before = os.environ[RAW_VARIABLE]
    with tempfile.TemporaryDirectory(dir=raw, prefix=".converting_") as staging:
        os.environ[RAW_VARIABLE] = staging
        try:
            yield Path(staging)
        finally:
            os.environ[RAW_VARIABLE] = before


def check_id_is_free(number: int) -> None:
    taken = find_candidate_datasets(number)
    if len(taken) == 0:
        return
    roots = [Path(os.environ[variable]) for variable in NNUNET_VARIABLES if variable in os.environ]
    folders = [str(root / name) for root in roots for name in taken if (root / name).is_dir()]
    raise ValueError(f"dataset id {number} is taken by {', '.join(folders)}: choose another id or remove that folder")


def check_space(source: Path, raw: Path) -> None:
    """SimpleITK does not notice a full disk when it splits a 4D image, so look before."""
    needed = sum(path.stat().st_size for folder in FOLDERS for path in (source / folder).glob("*" + SUFFIX))
    free = shutil.disk_usage(raw).free
    if free < needed:
        raise OSError(f"{needed / 1e6:.0f} MB needed, {free / 1e6:.0f} MB free")


def read_description(source: Path) -> dict:
    """dataset.json of an MSD task folder in which the folders and the keys that nnU-Net needs exist."""
    if not source.is_dir():
        raise FileNotFoundError(f"{source} is not a folder: give the path of an MSD task, such as Task04_Hippocampus")
    path = source / "dataset.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: copy it from the unpacked MSD archive")
    description = read_json(path)
    for key, kind in KEYS.items():
        if not isinstance(description.get(key), kind):
            raise ValueError(f'{path} has no usable "{key}" (a {kind.__name__} is needed): restore the original file')
    for entry in description["training"]:
        if not (isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("image", "label"))):
            raise ValueError(f'{path} lists {entry!r} under "training": it must have an "image" and a "label"')
    for folder in FOLDERS:
        if not (source / folder).is_dir():
            raise FileNotFoundError(
                f"{source / folder} is missing (nnU-Net needs it even when empty): restore it, or: "
                f"mkdir '{source / folder}'"
            )
    return description


def read_json(path: Path) -> dict:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError
        raise ValueError(f"{path} is not valid JSON ({error}): restore the original file") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a JSON {type(content).__name__}, not an object: restore the original file")
    return content


def training_names(description: dict) -> list[str]:
    """File names of the training cases; image and label bear the same one (`check_names`)."""
    return [Path(entry["image"]).name for entry in description["training"]]


def nifti_names(folder: Path) -> list[str]:
    """Files the converter takes; names that start with `.` or `_` are leftovers of archive tools."""
    return sorted(path.name for path in folder.glob("*" + SUFFIX) if not path.name.startswith((".", "_")))


def check_names(source: Path, description: dict) -> None:
    """dataset.json and the folders name the same cases, as nnU-Net takes whatever lies in the folders."""
    listing, names = source / "dataset.json", training_names(description)
    for entry, name in zip(description["training"], names, strict=True):
        if Path(entry["label"]).name != name or not name.endswith(SUFFIX):
            raise ValueError(f"{listing} pairs {entry['image']} with {entry['label']}: both must be named CASE{SUFFIX}")
    for folder in ("imagesTr", "labelsTr"):
        present = nifti_names(source / folder)
        if missing := sorted(set(names) - set(present)):
            raise FileNotFoundError(
                f"{source / folder / missing[0]} is listed in {listing} but missing ({len(missing)} in all): restore "
                "it or remove the case from dataset.json"
            )
        if extra := sorted(set(present) - set(names)):
            raise ValueError(
                f"{source / folder / extra[0]} is not listed in {listing} ({len(extra)} in all): list it or remove it"
            )
    if not description["numTraining"] == len(set(names)) == len(names) > 0:
        raise ValueError(
            f'{listing} says "numTraining": {description["numTraining"]}, but lists {len(set(names))} different '
            "training cases: correct it"
        )


def known_labels(source: Path, description: dict) -> set[int]:
    """Label ids of dataset.json: 0, 1, 2, ... without a gap, each with a name of its own, as nnU-Net needs them."""
    labels, path = description["labels"], source / "dataset.json"
    if sorted(labels) != sorted(map(str, range(len(labels)))) or labels.get("0") != "background":
        raise ValueError(f'{path} has the labels {labels}: nnU-Net needs "0": "background", "1", "2", ... without gaps')
    if len(set(labels.values())) < len(labels):
        raise ValueError(f"{path} gives one name to several labels ({labels}): rename one")
    return {int(number) for number in labels}


def read_nifti(path: Path) -> np.ndarray:
    """Voxels (x, y, z[, channel]) as stored, of a file that nnU-Net's reader accepts too."""
    # SimpleITK fills the missing part of a cut file with zeros and says nothing, so the voxels come through nibabel.
    try:
        voxels = np.asanyarray(nibabel.Nifti1Image.from_bytes(gzip.decompress(path.read_bytes())).dataobj)
    except UNREADABLE as error:
        raise ValueError(f"{path} is not a complete NIfTI file ({error}): restore it from the MSD archive") from error
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ValueError(
            f"{path} has a header that nnU-Net cannot read ({last_line(error)}): correct it, or remove the case from "
            "the folder and from dataset.json"
        ) from error
    return voxels


def last_line(error: RuntimeError) -> str:
    """The one that says something, of SimpleITK's several."""
    return str(error).strip().splitlines()[-1]


def check_image(path: Path, channels: int) -> tuple[int, ...]:
    """Size in voxels (x, y, z); ValueError when the image is unreadable or has other channels than dataset.json."""
    shape = read_nifti(path).shape
    found = shape[3] if len(shape) == 4 else 1
    if len(shape) not in (3, 4) or found != channels:
        raise ValueError(
            f"{path} has the shape {shape}, but dataset.json lists {channels} channel(s): correct \"modality\" there, "
            "or restore the image"
        )
    return shape[:3]


def check_labels(path: Path, size: tuple[int, ...], known: set[int]) -> None:
    """ValueError unless the file holds known whole numbers on a grid of `size` voxels."""
    voxels = read_nifti(path)
    if voxels.shape != size:
        raise ValueError(f"{path} has {voxels.shape} voxels, but its image {size}: restore both from the MSD archive")
    values = np.unique(voxels)
    if not np.array_equal(values, np.round(values)):
        raise ValueError(f"{path} has labels that are not whole numbers, such as {first_fraction(values)}: restore it")
    if unknown := sorted(set(map(int, values)) - known):
        raise ValueError(
            f"{path} contains the label(s) {unknown}, but dataset.json knows {sorted(known)}: correct the file, or add "
            'the label to "labels" there'
        )


def first_fraction(values: np.ndarray) -> float:
    return float(values[values != np.round(values)][0])
