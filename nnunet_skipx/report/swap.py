"""The files of a report take their places together: never are there files of two reports in a folder.

They are written elsewhere first. Then those of the report before step aside, and the new ones follow. What is killed
meanwhile is finished by the next report into that folder.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

STAGING = ".writing"
UNWRITTEN = "unwritten"
PAGE = "report.html"  # the first to go and the last to come: it shows what the others hold


@contextmanager
def swapped_in(out: Path, replaced: Collection[str] = ()) -> Iterator[Path]:
    """A folder to write files to, all of which replace those in `out` in the end, unless an error came up.

    replaced: names of files that go in any case, for not every report writes all of them.

    Raises:
        ValueError: another report is being written there.
    """
    staging = out / STAGING
    staging.mkdir(parents=True, exist_ok=True)
    draft, whole = staging / "draft", staging / "whole"
    try:
        with FileLock(staging / ".lock", timeout=0):
            try:
                _swap(whole, out)  # of a report that was killed while it did
                yield _empty(draft)
                _note_unwritten(draft, replaced)
                draft.rename(whole)
                _swap(whole, out)
            finally:
                if not whole.exists():
                    shutil.rmtree(staging, ignore_errors=True)
    except Timeout as error:
        raise ValueError(f"another report is being written into {out}: wait for it, or give another -o") from error


def _note_unwritten(draft: Path, replaced: Collection[str]) -> None:
    """Keep, beside the files of a report, the names of those that an earlier one may have left and this one has not."""
    (draft / UNWRITTEN).mkdir()
    for name in replaced:
        if not (draft / name).exists():
            (draft / UNWRITTEN / name).touch()


def _swap(whole: Path, out: Path) -> None:
    """Move the files of a whole report into place, once those that they replace have stepped aside."""
    if not whole.is_dir():
        return
    aside = whole.with_name("before")
    aside.mkdir(exist_ok=True)
    unwritten = [path.name for path in (whole / UNWRITTEN).glob("*")]
    names = sorted((path.name for path in whole.iterdir() if path.is_file()), key=lambda name: name == PAGE)
    for name in [*reversed(names), *unwritten]:
        if (out / name).exists():
            os.replace(out / name, aside / name)
    for name in names:
        os.replace(whole / name, out / name)
    shutil.rmtree(whole)


def _empty(folder: Path) -> Path:
    """A new folder, without what a killed report has left there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder
