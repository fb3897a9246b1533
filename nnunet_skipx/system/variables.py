"""Environment variables, for a while."""

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

FOLDERS = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
FEWEST = {"nnUNet_n_proc_DA": 0, "nnUNet_def_n_proc": 1}  # numbers of processes, which nnU-Net believes
MOST_PROCESSES = 10_000


@contextmanager
def environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Inside, these environment variables have these values; afterwards each is as it was."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def require_usable_variables() -> None:
    """Raise ValueError where nnU-Net would stumble over one of its variables; says which, and what it holds."""
    for name, fewest in FEWEST.items():
        value = os.environ.get(name, str(fewest))
        if not (value.isascii() and value.isdigit() and fewest <= int(value[:9]) <= MOST_PROCESSES):
            raise ValueError(
                f"the variable {name} is {value!r}, expected a whole number from {fewest} to {MOST_PROCESSES}: "
                f"unset {name}"
            )


def require_folders() -> None:
    """Raise ValueError where one of nnU-Net's variables names no folder, or another than was meant; says what to do."""
    for name in FOLDERS:
        if wrong := _wrong_folder(name, os.environ.get(name, name)):
            raise ValueError(f"the variable {name} {wrong}")


def _wrong_folder(name: str, value: str) -> str:
    """What is wrong with the value, and the cure; empty where nothing is."""
    if value.strip() == "":
        return f"is empty: export {name}=FOLDER, or unset {name}"
    if value != value.strip():
        return f"is {value!r}, with blanks at its ends: export {name}={shlex.quote(value.strip())}"
    if value.startswith("~"):  # a folder of this name would be made in the current one
        home = shlex.quote(os.path.expanduser(value))
        return f"is {value!r}, as a shell leaves ~ alone between quotes: export {name}={home}"
    if os.path.exists(value) and not os.path.isdir(value):  # pathlib's raise for names that are too long
        return f"is {value!r}, which is no folder: export {name}=FOLDER"
    return ""
