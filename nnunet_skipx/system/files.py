"""Files: written so that an interruption or a full disk never leaves half of one, read from the end."""

import errno
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nnunet_skipx.system.escaping import terminal

FULL = (errno.ENOSPC, errno.EDQUOT)  # no space, or no more of it for this user
PROBE_BYTES = 2**20
CHUNK_BYTES = 2**20


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by a file with `content` in one step; OSError if it cannot be written."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # a full disk does not say where
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to; what was written there replaces `path` unless an error came up."""
    draft = Path(f"{path}.draft")
    try:
        yield draft
        if draft.is_file():
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def is_full(folder: Path) -> bool:
    """Whether nothing more can be written there: the disk is full, or the user's share of it."""
    probe = folder / f".{os.getpid()}.probe"
    try:
        probe.write_bytes(bytes(PROBE_BYTES))
    except OSError as error:
        return error.errno in FULL
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
    return False


def tells_of_full_disk(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, is that of a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


def not_a_folder(path: Path) -> str:
    """What is wrong with a path that should be a folder's: it is something else, or it is not there."""
    return f"{path} is not a folder" if path.exists() else f"{path} does not exist"


def require_readable(folder: Path) -> None:
    """Raise PermissionError, which names it, for a folder that may not be listed: a search would find it empty."""
    if folder.is_dir():
        os.listdir(folder)


def write_text(path: Path, text: str) -> None:
    """Replace `path` by a file with `text` in one step; OSError if it cannot be written."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: object) -> None:
    """Replace `path` by a JSON file in one step; OSError if it cannot be written."""
    write_text(path, json.dumps(content, indent=4))


def sha256_of(path: Path) -> str:
    """Of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def last_lines(log: Path, count: int = 8) -> str:
    """The last lines of a log file, indented, for a terminal."""
    lines = log.read_text(errors="replace").strip().splitlines()[-count:]
    return "\n".join(f"  {terminal(line)}" for line in lines)


def finite(content: Any) -> Any:
    """The same with null for NaN and infinity, which JSON does not have."""
    if isinstance(content, Mapping):
        return {str(key): finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
