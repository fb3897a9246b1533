"""Errors of the operating system in a user's words, and destinations that are looked at before the work."""

import errno
import os
import tempfile
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
NO_PLACE = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL)


def cure_of(error: OSError) -> str:
    """What helps against an error of the operating system."""
    if error.errno in FULL:
        return "free some space there, or choose another folder, and run the command again"
    if error.errno in DENIED:
        return "give yourself the right to it, or choose another place"
    if error.errno in NO_PLACE:
        return "choose another place"
    if error.errno == errno.ENOENT:
        return "correct the path"
    return "look at the disk and the machine it belongs to"


def os_error_text(error: OSError) -> str:
    """What happened where, and the cure; the words of an error that was written for users stay as they are."""
    if error.errno is None:
        return str(error)
    where = error.filename2 or error.filename  # the second is where something was to go
    what = error.strerror or os.strerror(error.errno)
    return f"{what}{'' if where is None else f': {os.fsdecode(where)}'}: {cure_of(error)}"


def require_writable(folder: Path, what: str) -> None:
    """Raise OSError, which names it, where a folder cannot be written to or made; nothing is left there.

    what: whose place it is, an option or a variable.
    """
    there = folder
    try:
        while not there.exists() and not there.is_symlink():
            there = there.parent
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OSError(f"{what}: {folder} cannot be written to ({reason}): {cure_of(error)}") from error


def require_writable_file(path: Path, what: str) -> None:
    """The same for a file, which may exist."""
    if not path.name or path.is_dir():
        raise OSError(f"{what}: {str(path)!r} is a folder, expected a file: name one in it")
    require_writable(path.parent, what)
    try:
        path.with_name(f".{path.name}.{os.getpid()}.draft").exists()
    except OSError as error:
        raise OSError(f"{what}: {path} cannot be written to ({error.strerror}): {cure_of(error)}") from error
