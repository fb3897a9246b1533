"""The folder that nnU-Net's trainer search is pointed at; it holds one flat module, `nnunet_skipx_trainer_finder`."""

import os
from pathlib import Path

EXT_VARIABLE = "nnUNet_extTrainer"


def ext_path() -> str:
    """The folder to put into the environment variable `nnUNet_extTrainer`."""
    return str(Path(__file__).resolve().parent)


def append_to_environment() -> None:
    """Append our folder to `nnUNet_extTrainer` of this process; folders the user set keep their place before it."""
    folders = [folder for folder in os.environ.get(EXT_VARIABLE, "").split(os.pathsep) if folder]
    if ext_path() not in folders:
        os.environ[EXT_VARIABLE] = os.pathsep.join([*folders, ext_path()])
