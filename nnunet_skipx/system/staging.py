"""A folder to build something in beside its place: of one process at a time, and never left for ever."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def staging_folder(path: Path, busy: str) -> Iterator[Path]:
    """An empty folder in `path`; removed in the end, and what a killed process left there at the beginning.

    Raises:
        ValueError: another process is in there; says `busy`.
        OSError: it cannot be written.
    """
    path.mkdir(parents=True, exist_ok=True)
    with alone(path / ".lock", busy):
        try:
            yield _empty(path)
        finally:
            shutil.rmtree(path, ignore_errors=True)


def remove_abandoned(path: Path, busy: str) -> None:
    """Remove what a killed process left of such a folder; errors as of `staging_folder`."""
    if path.is_dir():
        with staging_folder(path, busy):
            pass


@contextmanager
def alone(lock: Path, busy: str, seconds: float = 0) -> Iterator[None]:
    """Inside, no other process holds the lock file; ValueError, which says `busy`, where one does for so long."""
    held = FileLock(lock, timeout=seconds)
    try:
        held.acquire()
    except Timeout as error:
        raise ValueError(busy) from error
    try:
        if not lock.exists():  # its holder removed it with the folder, and somebody may have made another
            raise ValueError(busy)
        yield
    finally:
        held.release()


def remove_drafts(folder: Path) -> None:
    """Remove what killed processes have left of files; only where no other process is writing any."""
    for draft in folder.glob(".*.draft"):
        draft.unlink(missing_ok=True)


def _empty(staging: Path) -> Path:
    """A new folder inside, after removing all that is there but the lock."""
    for path in staging.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    folder = staging / "dataset"
    folder.mkdir()
    return folder
