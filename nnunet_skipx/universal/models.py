"""Where universal runs lie among the results, and how a new one may be called."""

import os
import re
from pathlib import Path

from nnunet_skipx.nnunet.folders import preprocessed_data, results_folder
from nnunet_skipx.nnunet.names import MOST_IDS, begins_like, mistaken_for
from nnunet_skipx.system.staging import remove_abandoned
from nnunet_skipx.system.variables import FOLDERS

UNIVERSAL = "nnUNetTrainerU2NetUniversal"
STAGING = ".creating_universal_run"  # one for all, so that the next call removes what a killed one has left


def model_folders(number: int, plans: str = "*", configuration: str = "*") -> list[Path]:
    """The universal run's model folders among the results.

    Raises:
        FileNotFoundError: there is none.
    """
    pattern = f"{begins_like(str(number))}*/{UNIVERSAL}*__{plans}__{configuration}"
    folders = sorted(results_folder().glob(pattern))
    if not folders:
        raise FileNotFoundError(
            f"no results {pattern} in {results_folder()}: train the run first, nnUNetv2_train {number} 3d_fullres 0 "
            f"-tr {UNIVERSAL}"
        )
    return folders


def free_name(number: int, name: str) -> str:
    """The new data set's name; ValueError where something has its id already, or it is no name."""
    if not 0 < number < MOST_IDS or re.fullmatch(r"[A-Za-z0-9_-]+", name) is None:
        raise ValueError(
            f"--id {number} --name {name!r}: an id is 1 to {MOST_IDS - 1}, a name letters, digits, - and _"
        )
    for folder in (Path(os.environ[variable]) for variable in FOLDERS if variable in os.environ):
        there = sorted(path.name for path in folder.glob("Dataset*"))
        if taken := mistaken_for(number, there):
            raise ValueError(f"the id {number} is taken by {folder / taken[0]}: choose another, or remove that folder")
    return f"Dataset{number:03d}_{name}"


def clean_staging() -> tuple[Path, str]:
    """Where a new run is put together, without what a killed call left there, and what to say to a second one.

    Raises ValueError, which says that, where another call is at work.
    """
    preprocessed = preprocessed_data()
    busy = f"another `skipx universal create` is writing into {preprocessed}: wait until it has ended"
    remove_abandoned(preprocessed / STAGING, busy)
    return preprocessed / STAGING, busy
