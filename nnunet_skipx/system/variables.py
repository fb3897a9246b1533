"""Environment variables, for a while."""

import os
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
    """Raise ValueError where one of nnU-Net's folders is set to nothing, which would be the current folder."""
    for name in FOLDERS:
        if os.environ.get(name, name).strip() == "":
            raise ValueError(f"the variable {name} is empty: export {name}=FOLDER, or unset {name}")
