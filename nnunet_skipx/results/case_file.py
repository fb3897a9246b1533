"""CSV files with a line per case: what a user knows of the cases that nnU-Net does not."""

import csv
import math
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from nnunet_skipx.nnunet.names import plain_float
from nnunet_skipx.system.names import unfit_text

KEY = "case"
EXAMPLE = "case,centre,age\ncase_001,A,64\ncase_002,B,57"
MOST_CATEGORIES = 20
MOST_COLUMNS = 100  # each is tested; of more than these none could be shown to matter


def read_covariates(path: Path, cases: Collection[str]) -> pd.DataFrame:
    """A line per case, in their order; columns are numbers or text (categories). Other cases in the file are left out.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no such table, a case that is missing or stands twice, an empty value, NaN, text among numbers, or
            a column of too many texts; names file, line, column and cure.
    """
    lines = _lines(path, cases)
    columns = {name: _column(path, name, [(line, row[name]) for line, row in lines]) for name in _names(lines)}
    return pd.DataFrame(columns, index=pd.Index([row[KEY] for _, row in lines], name=KEY)).loc[list(cases)]


def read_clusters(path: Path, cases: Collection[str]) -> dict[str, str]:
    """Case -> what it belongs to, for example its patient, from a file of two columns; errors as `read_covariates`."""
    lines = _lines(path, cases)
    names = _names(lines)
    if len(names) != 1:
        raise ValueError(f"{path} has the columns {', '.join([KEY, *names])}: a cluster file has two, case and patient")
    found = {row[KEY]: row[names[0]] for _, row in lines}
    return {case: found[case] for case in cases}


def _lines(path: Path, cases: Collection[str]) -> list[tuple[int, dict[str, str]]]:
    """(number, cells) of each line that is of one of the cases, all of which are there once."""
    lines = [(number, row) for number, row in _read(path) if row[KEY] in cases]
    counted = Counter(row[KEY] for _, row in lines)
    for number, row in reversed(lines):
        if counted[row[KEY]] > 1:
            raise ValueError(f"{path}, line {number}: case {row[KEY]} stands twice; leave one of its lines")
        if empty := [name for name, value in row.items() if not value]:
            cure = "fill it in, or write a word such as unknown in a column of words"
            raise ValueError(f"{path}, line {number}: {empty[0]} of case {row[KEY]} is empty; {cure}")
    if missing := sorted(set(cases) - counted.keys()):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(f"{path} has no line of case {missing[0]}{more}: add one for every case that was validated")
    return lines


def _read(path: Path) -> list[tuple[int, dict[str, str]]]:
    """(number, cells) of every line under the header."""
    rows = _rows(path)
    header = rows[0][1] if rows else []
    if KEY not in header or len(header) < 2 or len(set(header)) < len(header) or not all(header):
        told = ", ".join(map(repr, header)) or "nothing"
        cure = f"name each once, one of them {KEY!r}, as in:\n{EXAMPLE}"
        raise ValueError(f"{path}, line 1: the columns are {told}; {cure}")
    if len(header) > MOST_COLUMNS:
        raise ValueError(f"{path} has {len(header)} columns: leave {MOST_COLUMNS} or fewer that matter")
    for number, row in rows:
        if len(row) != len(header):
            raise ValueError(
                f"{path}, line {number}: {len(row)} values under {len(header)} columns; separate values by commas and "
                "quote one that contains a comma"
            )
        if why := next((unfit_text(cell) for cell in row if unfit_text(cell)), ""):
            raise ValueError(f"{path}, line {number}: a value {why}; remove it")
    return [(number, dict(zip(header, row, strict=True))) for number, row in rows[1:]]


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """(number, values) of every line that is not empty."""
    if not path.is_file():
        what = "is no file" if path.exists() else "does not exist"
        raise FileNotFoundError(f"{path} {what}; such a file reads, for example:\n{EXAMPLE}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            return [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no CSV file in UTF-8 ({error}): save it as one, as in:\n{EXAMPLE}") from error


def _names(lines: Sequence[tuple[int, dict[str, str]]]) -> list[str]:
    return [name for name in lines[0][1] if name != KEY] if lines else []


def _column(path: Path, name: str, cells: Sequence[tuple[int, str]]) -> list[float] | list[str]:
    """Numbers, if one of the values is a number; else text."""
    numbers = [(line, text, plain_float(text)) for line, text in cells]
    if all(number is None for _, _, number in numbers):
        texts = [text for _, text, _ in numbers]
        if len(set(texts)) > MOST_CATEGORIES:
            raise ValueError(
                f"{path}: {name} has {len(set(texts))} different texts, which are no categories; group them into "
                f"{MOST_CATEGORIES} or fewer, or remove the column"
            )
        return texts
    values = []
    for line, text, number in numbers:
        if number is None or not math.isfinite(number):
            raise ValueError(
                f"{path}, line {line}: {name} is {text!r} among numbers; write a number, or words in all lines if the "
                "column means categories"
            )
        values.append(number)
    return values
