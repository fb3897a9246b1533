"""nnU-Net's folders, as its variables name them; its own module for them comes with a second of imports."""

import os
from pathlib import Path


def folder_in(variable: str) -> Path:
    """The folder that a variable of nnU-Net's names.

    Raises:
        FileNotFoundError: the variable is not set.
    """
    value = os.environ.get(variable)
    if value is None:
        raise FileNotFoundError(f"{variable} is not set: export {variable}=/path/to/{variable.partition('_')[2]}")
    return Path(value)


def raw_data() -> Path:
    """nnU-Net's folder of raw data, with errors as `folder_in`."""
    return folder_in("nnUNet_raw")


def preprocessed_data() -> Path:
    """nnU-Net's folder of preprocessed data, with errors as `folder_in`."""
    return folder_in("nnUNet_preprocessed")


def results_folder() -> Path:
    """nnU-Net's folder of results, with errors as `folder_in`."""
    return folder_in("nnUNet_results")
