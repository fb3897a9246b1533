"""Files: written so that an interruption or a full disk never leaves half of one, read from the end."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nnunet_skipx.system.escaping import terminal


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


def write_text(path: Path, text: str) -> None:
    """Replace `path` by a file with `text` in one step; OSError if it cannot be written."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: object) -> None:
    """Replace `path` by a JSON file in one step; OSError if it cannot be written."""
    write_text(path, json.dumps(content, indent=4))


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
