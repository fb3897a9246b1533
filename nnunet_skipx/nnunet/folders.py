"""nnU-Net's folders."""

import os
from pathlib import Path

from nnunetv2.paths import nnUNet_preprocessed, nnUNet_raw, nnUNet_results


def results_folder() -> Path:
    """nnU-Net's folder of results.

    Raises:
        FileNotFoundError: the environment variable is not set.
    """
    if not nnUNet_results.is_set():
        raise FileNotFoundError("nnUNet_results is not set: export nnUNet_results=/path/to/results")
    return Path(os.fspath(nnUNet_results))


def raw_data() -> Path:
    """nnU-Net's folder of raw data.

    Raises:
        FileNotFoundError: the environment variable is not set.
    """
    if not nnUNet_raw.is_set():
        raise FileNotFoundError("nnUNet_raw is not set: export nnUNet_raw=/path/to/raw")
    return Path(os.fspath(nnUNet_raw))


def preprocessed_data() -> Path:
    """nnU-Net's folder of preprocessed data.

    Raises:
        FileNotFoundError: the environment variable is not set.
    """
    if not nnUNet_preprocessed.is_set():
        raise FileNotFoundError("nnUNet_preprocessed is not set: export nnUNet_preprocessed=/path/to/preprocessed")
    return Path(os.fspath(nnUNet_preprocessed))
