"""`skipx enable` and `skipx disable`: a hook that appends our folder to `nnUNet_extTrainer` at interpreter start.

Up to Python 3.14 it is one `.pth` file with one import line. That line holds all it needs and imports nothing new: the
first import of a file at interpreter start costs more than a millisecond, this line 0.03 ms.

From 3.15 on a `.start` file of the same name silences the import line and names a function to call instead (PEP 829).
The function stands beside it in site-packages and not in our package: Python reports an entry point that it cannot
import, so a hook left behind by an uninstalled package would print an error at every start.
"""

import sys
import sysconfig
from pathlib import Path

from nnunet_skipx.discovery import EXT_VARIABLE, ext_path
from nnunet_skipx.system.files import write_text

HOOK = "nnunet_skipx_startup"
HOOKED = "NNUNET_SKIPX_HOOKED"  # set where the hook has added our folder, and not the user
FIRST_PYTHON_WITH_START_FILES = (3, 15)

MODULE_TEXT = '''\
"""Written by `skipx enable`, removed by `skipx disable`: lets nnU-Net find the trainers of nnunet_skipx."""


def append_folder():
    {line}
'''


def site_packages() -> Path:
    """The folder of the current environment whose `.pth` files Python reads at start."""
    return Path(sysconfig.get_path("purelib"))


def hook_line() -> str:
    """One line of Python that appends our folder, unless it is there already or the package is gone."""
    # ascii() keeps the line readable whatever characters the path has and whatever the locale is
    return (
        f'import os; folder = {ext_path()!a}; value = os.environ.get("{EXT_VARIABLE}", ""); '
        'folder not in value.split(os.pathsep) and os.path.isfile(os.path.join(folder, "__init__.py")) '
        f'and os.environ.update({EXT_VARIABLE}=value + os.pathsep + folder if value else folder, {HOOKED}="1")'
    )


def hook_files(version: tuple[int, ...]) -> dict[str, str]:
    """The files of the hook for a Python version, name -> text, each after those that it needs."""
    files = {f"{HOOK}.pth": f"{hook_line()}\n"}
    if version >= FIRST_PYTHON_WITH_START_FILES:
        files[f"{HOOK}.py"] = MODULE_TEXT.format(line=hook_line())
        files[f"{HOOK}.start"] = f"{HOOK}:append_folder\n"
    return files


def is_enabled(folder: Path | None = None, version: tuple[int, ...] = sys.version_info[:2]) -> bool:
    """Whether the hook is in site-packages and points at this installation."""
    folder = folder or site_packages()
    paths = {folder / name: text for name, text in hook_files(version).items()}
    return all(path.is_file() and path.read_bytes() == text.encode() for path, text in paths.items())


def enable(folder: Path | None = None, version: tuple[int, ...] = sys.version_info[:2]) -> list[Path]:
    """Write the hook into site-packages and return its files; raises OSError with the cure where that is impossible."""
    folder = folder or site_packages()
    written: list[Path] = []
    try:
        for name, text in hook_files(version).items():
            write_text(folder / name, text)
            written.append(folder / name)
    except OSError as error:
        if written:
            remove_hook(folder)
        cure = f'use a virtual environment of your own, or say export {EXT_VARIABLE}="$(skipx ext-path)" instead'
        raise not_writable(folder, error, cure) from error
    return written


def disable(folder: Path | None = None) -> list[Path]:
    """Remove every trace of the hook and return the files removed; raises OSError where that is impossible."""
    folder = folder or site_packages()
    try:
        return remove_hook(folder)
    except OSError as error:
        raise not_writable(folder, error, "run `skipx disable` as the owner of that folder") from error


def remove_hook(folder: Path) -> list[Path]:
    """Remove what `enable` wrote and what Python compiled from it; raises OSError where that is impossible."""
    cache = folder / "__pycache__"
    # the caller goes before what it calls, so that a Python started in between meets no broken hook
    sources = [folder / f"{HOOK}{suffix}" for suffix in (".start", ".pth", ".py")]
    removed = [path for path in [*sources, *sorted(cache.glob(f"{HOOK}.*.pyc"))] if path.is_file()]
    for path in removed:
        path.unlink()
    if removed and cache.is_dir() and not any(cache.iterdir()):
        cache.rmdir()
    return removed


def not_writable(folder: Path, error: OSError, cure: str) -> OSError:
    """The same kind of error in one sentence that names the folder and the cure."""
    return type(error)(f"cannot change {folder} ({error.strerror}): {cure}")
