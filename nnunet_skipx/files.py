"""Writing files so that an interrupted run or a full disk leaves the old file or none, never half of one."""
import json
import os
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Replace `path` by a file with `text` in one step; OSError if it cannot be written."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_json(path: Path, content: object) -> None:
    """Replace `path` by a JSON file in one step; OSError if it cannot be written."""
    write_text(path, json.dumps(content, indent=4))
