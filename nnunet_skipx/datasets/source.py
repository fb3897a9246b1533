"""Finding files in a download: other spellings, and what archive tools leave, are expected; gaps are not."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from nnunet_skipx.system.files import not_a_folder

DEPTH = 3  # folders that archive tools and users put around a download


def listing(folder: Path) -> list[Path]:
    """What lies in a folder, sorted; names that start with `.` or `_` (also `__MACOSX`) are leftovers of archive tools.

    Raises FileNotFoundError when there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{not_a_folder(folder)}: give the folder of the unpacked download")
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))


def find_folder(source: Path, *names: str) -> Path | None:
    """The first folder of one of these names, `source` itself or up to three down; case, spaces, `_` do not matter."""
    wanted = {plain(name) for name in names}
    return search(source, lambda folder: plain(folder.name) in wanted)


def require_folder(source: Path, *names: str) -> Path:
    """The same; FileNotFoundError that says what is there instead."""
    found = find_folder(source, *names)
    if found is None:
        raise FileNotFoundError(f"{source} has no folder {' or '.join(names)}; there are: {contents(source)}")
    return found


def search(source: Path, is_it: Callable[[Path], object]) -> Path | None:
    """`source` or the first folder below it (at most three down) for which `is_it` holds; None without one."""
    level = [Path(os.path.abspath(source))]
    for _ in range(DEPTH + 1):
        if found := next((folder for folder in level if is_it(folder)), None):
            return found
        level = [path for folder in level for path in listing(folder) if path.is_dir()]
    return None


def files_by_key(folder: Path, pattern: str) -> dict[str, Path]:
    """The files of a folder whose whole name matches the pattern, whatever its case, by the pattern's only group.

    Raises ValueError when two files have the same key.
    """
    found: dict[str, Path] = {}
    for path in listing(folder):
        match = re.fullmatch(pattern, path.name, re.IGNORECASE)
        if match is None or not path.is_file():
            continue
        key = match[1].lower()
        if key in found:
            raise ValueError(f"{path} and {found[key].name} are both case {key}: remove the one that does not belong")
        found[key] = path
    return found


def require_keys(
    found: Iterable[str], wanted: Iterable[str], folder: Path, file_name: str, allow_missing: bool
) -> None:
    """FileNotFoundError where a wanted key has no file, unless that is allowed; `file_name` has a `{}` for the key."""
    missing = sorted(set(wanted) - set(found))
    if missing and not allow_missing:
        raise FileNotFoundError(
            f"{folder / file_name.format(missing[0])} is missing ({len(missing)} of this kind in all): complete the "
            "download, or convert what is there with --allow-missing"
        )


def require_count(found: int, expected: int, folder: Path, what: str, allow_missing: bool) -> None:
    """FileNotFoundError for fewer than expected, unless that is allowed; ValueError for more."""
    if found > expected:
        raise ValueError(f"{folder} holds {found} {what}, expected {expected}: remove those that do not belong to it")
    if found == 0 or (found < expected and not allow_missing):
        raise FileNotFoundError(
            f"{folder} holds {found} {what}, expected {expected}: complete the download, or convert some of each part "
            "with --allow-missing"
        )


def plain(name: str) -> str:
    """A name without case, spaces, underscores and hyphens."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def contents(folder: Path, at_most: int = 8) -> str:
    """The first names in a folder, for an error message."""
    names = [path.name for path in listing(folder)]
    return (", ".join(names[:at_most]) + (", ..." if len(names) > at_most else "")) or "nothing"
