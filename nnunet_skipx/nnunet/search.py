"""Finds trainers as nnU-Net's commands do, through the folders of `nnUNet_extTrainer`, the user's first."""

import functools
import io
import os
import traceback
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

EXT_VARIABLE = "nnUNet_extTrainer"
OURS = Path(__file__).resolve().parents[1]


class UnusableModuleError(ValueError):
    """A file of the user's in a folder of `nnUNet_extTrainer`, at which nnU-Net's search for any trainer ends."""


def find_trainer(name: str) -> type["nnUNetTrainer"]:
    """The trainer that nnU-Net's commands take for `-tr name`.

    Raises:
        ValueError: they find none, or end at a file of the user's, which is named.
    """
    try:
        return _found(name, os.environ.get(EXT_VARIABLE))
    except (Exception, SystemExit) as error:  # whatever stands in the user's files is run
        if place := users_place(error):
            raise UnusableModuleError(
                f"nnU-Net's search for {name!r} ends at {place} ({first_line(error)}), which {EXT_VARIABLE} leads to: "
                "correct that file, or move it out of its folder"
            ) from error
        if not isinstance(error, RuntimeError):
            raise
        raise ValueError(
            f"nnU-Net finds no trainer {name!r}: check the spelling (`skipx list` shows ours), and with "
            f"`skipx doctor` that the environment variable {EXT_VARIABLE} is set."
        ) from error


@functools.cache  # a report asks several times for every row, and a search walks through all that is imported
def _found(name: str, folders: str | None) -> type["nnUNetTrainer"]:
    """What nnU-Net finds with these external folders."""
    from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name  # torch

    # The search tells every step, and modules that it comes across warn of their own age.
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: type[nnUNetTrainer] = recursive_find_trainer_class_by_name(name)
        return found


def users_folders() -> list[str]:
    """The folders of `nnUNet_extTrainer` but for our own, in the order in which nnU-Net goes through them."""
    folders = os.environ.get(EXT_VARIABLE, "").split(os.pathsep)
    return [folder for folder in folders if folder.strip() and not Path(folder).resolve().is_relative_to(OURS)]


def users_place(error: BaseException) -> str:
    """The last file and line that an error came through in the user's folders; empty where it came through none."""
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno))
    folders = [Path(folder).resolve() for folder in users_folders()]
    its = [f"{file}, line {line}" for file, line in places if any(_is_theirs(Path(file), each) for each in folders)]
    return its[-1] if its else ""


def _is_theirs(file: Path, folder: Path) -> bool:
    """Whether a file lies in a folder, and neither in ours nor in an environment that the folder may hold."""
    path = file.resolve()
    if not path.is_relative_to(folder) or path.is_relative_to(OURS):
        return False
    return "site-packages" not in path.relative_to(folder).parts


def first_line(error: BaseException) -> str:
    """Kind and first line of an error.

    >>> first_line(ModuleNotFoundError("No module named 'monai'"))
    "ModuleNotFoundError: No module named 'monai'"
    """
    return f"{type(error).__name__}: {error}".splitlines()[0]
