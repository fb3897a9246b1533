"""The user's cache: small files that are made again where they are missing, damaged or made from something else."""

import hashlib
import os
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def cache_folder() -> Path:
    """Where they lie; perhaps not there yet."""
    return Path(os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache", "nnunet_skipx")


def state_of_the_package(others: Iterable[str] = ("torch",), files: Iterable[Path] = ()) -> str:
    """A digest that changes with every file of Python in the package and in `trainers/`, and with others' versions.

    files: of others, whose content counts, too.
    """
    digest = hashlib.sha256(" ".join(map(_version, others)).encode())
    for path in sorted([*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "trainers").rglob("*.py")]):
        digest.update(path.read_bytes())
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # on the path without being installed
        return ""
