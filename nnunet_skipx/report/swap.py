"""The files of a report take their places together: a report that is killed or finds the disk full changes nothing."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def swapped_in(out: Path) -> Iterator[Path]:
    """A folder to write files to, all of which replace those in `out` in the end, unless an error came up.

    Raises:
        ValueError: another report is being written there.
    """
    staging = out / ".writing"
    staging.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(staging / ".lock", timeout=0):
            try:
                yield _empty(staging / "report")
                for path in sorted((staging / "report").iterdir()):
                    os.replace(path, out / path.name)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except Timeout as error:
        raise ValueError(f"another report is being written into {out}: wait for it, or give another -o") from error


def _empty(folder: Path) -> Path:
    """A new folder, without what a killed report has left there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder
