"""Where a converted data set goes: built beside its place, and put there whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nnunet_skipx.datasets.recipe import Splits
from nnunet_skipx.nnunet.names import MOST_IDS, mistaken_for
from nnunet_skipx.system.files import write_json
from nnunet_skipx.system.os_errors import FULL, require_writable
from nnunet_skipx.system.staging import alone, staging_folder

RAW, PREPROCESSED, RESULTS = VARIABLES = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
SPLITS_FILE = "splits_final.json"
REPLACED = "replaced"  # in the staging folder: the old data set on its way out


@dataclass(frozen=True)
class Destination:
    """The folders of a data set DatasetNNN_Name in nnU-Net's."""

    name: str
    raw: Path
    preprocessed: Path

    @property
    def staging(self) -> Path:
        """Where it is built, on the same disk; nnU-Net does not take it for a data set."""
        return self.raw.parent / f".converting_{self.name}"

    @property
    def busy(self) -> str:
        """What is said while another process is in there."""
        return f"{self.name} is being converted by another process: wait for it, or stop it"


def destination(name: str, number: int, overwrite: bool) -> Destination:
    """The folders of a new data set.

    Raises ValueError where they are taken, or nnU-Net's variables are not set, OSError where they cannot be written to.

    `overwrite` allows to replace raw and preprocessed data of the same name, never to leave results of the old.
    """
    if not 0 <= number < MOST_IDS:
        raise ValueError(f"data set id {number} (for {name}) is not within 0 to {MOST_IDS - 1}: choose another id")
    full_name = f"Dataset{number:03d}_{name}"
    for variable in (RAW, PREPROCESSED):
        require_writable(folder_of(variable), variable)
    raw, preprocessed = folder_of(RAW) / full_name, folder_of(PREPROCESSED) / full_name
    clean_up(Destination(full_name, raw, preprocessed))
    results = folder_of(RESULTS) / full_name if os.environ.get(RESULTS) else None
    folders = [folder_of(variable) for variable in VARIABLES if os.environ.get(variable)]
    there = [path for folder in folders for path in folder.glob("Dataset*")]
    others = {*mistaken_for(number, [path.name for path in there])} - {full_name}
    taken = sorted(path for path in there if path.name in others and path.is_dir())
    if taken:
        raise ValueError(
            f"data set id {number} is taken by {', '.join(map(str, taken))}: choose another id or remove that folder"
        )
    if results and any(results.glob("*")):
        raise ValueError(
            f"{results} holds results of the data set {number} as it was: choose another id, or move them away"
        )
    written = [
        path for path in (raw, preprocessed) if path.is_dir() and {p.name for p in path.iterdir()} - {SPLITS_FILE}
    ]
    if written and not overwrite:
        raise ValueError(
            f"data set id {number} is taken by {', '.join(map(str, written))}: choose another id, or "
            "replace raw and preprocessed data with --overwrite"
        )
    return Destination(full_name, raw, preprocessed)


def folder_of(variable: str) -> Path:
    """A folder of nnU-Net's; ValueError when the variable is not set."""
    if not os.environ.get(variable):
        raise ValueError(f"the variable {variable} is not set: export {variable}=FOLDER")
    return Path(os.environ[variable])


def clean_up(place: Destination) -> None:
    """Remove what a killed conversion has left, and put back the old data set where the new one had not come yet."""
    if place.staging.is_dir():
        with alone(place.staging / ".lock", place.busy):
            replaced = place.staging / REPLACED
            if replaced.is_dir() and not place.raw.exists():
                os.rename(replaced, place.raw)
            shutil.rmtree(place.staging, ignore_errors=True)


@contextmanager
def staged(place: Destination) -> Iterator[Path]:
    """An empty folder to build the data set in; removed in the end, and what a killed conversion left at the beginning.

    Raises ValueError when another process is converting to the same place, OSError when the disk is full.
    """
    try:
        with staging_folder(place.staging, place.busy) as folder:
            yield folder
    except OSError as error:
        is_of_source = error.filename and not Path(os.fsdecode(error.filename)).is_relative_to(place.raw.parent)
        if is_of_source and error.errno not in FULL:  # of a copy, the source is named first
            raise
        raise OSError(
            f"cannot write {place.raw} ({error.strerror or error}): free some space or choose another folder, then "
            "run the command again; nothing was left behind"
        ) from error


def publish(folder: Path, place: Destination, splits: Splits) -> None:
    """Move a finished folder to its place, the old one away, and write the splits where nnU-Net looks for them."""
    if place.preprocessed.is_dir():
        shutil.rmtree(place.preprocessed)
    if splits:
        place.preprocessed.mkdir(parents=True)
        write_json(place.preprocessed / SPLITS_FILE, splits)
    if place.raw.is_dir():
        os.rename(place.raw, place.staging / REPLACED)
    os.rename(folder, place.raw)
