"""The report's numbers for other programs: tidy tables, the challengeR format, JSON, Markdown and LaTeX."""
import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nnunet_skipx.benchmark.summary import Row
from nnunet_skipx.files import write_text


def write_exports(
    table: pd.DataFrame, rows: Sequence[Row], shown: pd.DataFrame, sentences: Sequence[str], folder: Path
) -> list[Path]:
    """Write all formats into `folder` and return their paths.

    Args:
        table: tidy, of `collect`.
        rows: the numbers of the report.
        shown: the table that people read, as text.
        sentences: what the report says in words.
    """
    contents = {
        "cases.csv": table.to_csv(index=False),
        "challenger.csv": challenger(table).to_csv(index=False),
        "report.json": json.dumps([finite(dataclasses.asdict(row)) for row in rows], indent=2, allow_nan=False),
        "report.md": "\n".join([markdown(shown), "", *(f"- {sentence}" for sentence in sentences), ""]),
        "report.tex": shown.to_latex(index=False, escape=True),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        write_text(folder / name, text)
    return [folder / name for name in contents]


def challenger(table: pd.DataFrame) -> pd.DataFrame:
    """task, case, algorithm, value as challengeR reads them: a task per data set, class and metric."""
    task = table["dataset"] + " " + table["label"] + " " + table["metric"]
    return pd.DataFrame({"task": task, "case": table["case"], "algorithm": table["trainer"], "value": table["value"]})


def markdown(shown: pd.DataFrame) -> str:
    """A table of text in Markdown."""
    lines = [list(map(str, shown.columns)), ["---"] * shown.shape[1], *shown.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def finite(content: Any) -> Any:
    """The same with null for NaN and infinity, which JSON does not have."""
    if isinstance(content, dict):
        return {str(key): finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
