"""Which classes Python files define, without importing them: an import of torch takes seconds."""

import re
from pathlib import Path
from typing import NamedTuple

CLASS = re.compile(r"class (\w+)(.*)")


class ClassLine(NamedTuple):
    """Where a class stands, and what its line says behind its name: the classes that it is of."""

    file: Path
    bases: str


def classes_in(folder: Path) -> dict[str, ClassLine]:
    """The classes at the top level of the Python files of a folder and of those below it, by name, sorted by file."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if match := CLASS.match(line):
                found[match[1]] = ClassLine(path, match[2])
    return found


def network_names(folder: Path) -> list[str]:
    """The classes of a folder whose file has their name in small letters: its networks.

    >>> from nnunet_skipx import __file__ as package
    >>> {"SkipUNet", "UTANet"} & set(network_names(Path(package).parent / "architectures"))
    {'UTANet'}
    """
    return [name for name, line in classes_in(folder).items() if line.file.stem == name.lower()]
