"""The file of measured rows: one JSON object a line, written as soon as it is known, so that nothing gets lost."""

import json
from pathlib import Path
from typing import Any

from benchmarks.gpu.rows import Row

Rows = dict[str, dict[str, Any]]  # figures by the key of the row
MACHINE = "machine |  |  | uncompiled"


def append(path: Path, row: Row, figures: dict[str, Any]) -> None:
    """Add figures of a row to the file."""
    with path.open("a") as file:
        print(json.dumps({"row": row.key, **figures}), file=file)


def read(path: Path) -> Rows:
    """All rows of the file, none where there is no file; what was measured later counts."""
    rows: Rows = {}
    if not path.is_file():
        return rows
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            figures = json.loads(line)
            rows.setdefault(figures.pop("row"), {}).update(figures)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path}, line {number} is no measured row ({line[:60]}): delete the line, or "
                "give another file with --out"
            ) from error
    return rows


def done(rows: Rows) -> list[str]:
    """The rows that were measured to their end; what machine it is is asked each time."""
    return [key for key, figures in rows.items() if figures.get("done") and key != MACHINE]
