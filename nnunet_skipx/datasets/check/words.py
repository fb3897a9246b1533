"""Findings of `skipx data check`, and how they spell numbers and files."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

Grade = Literal["problem", "remark"]
GRADES: tuple[Grade, Grade] = ("problem", "remark")  # in the order in which they are told
KINDS = ("Files", "Geometry", "Labels", "Intensities", "Duplicates", "Folds", "Patients")


@dataclass(frozen=True)
class Finding:
    """A sentence with case, file, what was found, what was expected, and the cure.

    A problem should be mended before training; a remark may be as it should. cases: whose thumbnails to look at.
    """

    grade: Grade
    kind: str
    text: str
    cases: tuple[str, ...] = ()


def problem(kind: str, text: str, *cases: str) -> Finding:
    """To be mended before training."""
    return Finding("problem", kind, text, cases)


def remark(kind: str, text: str, *cases: str) -> Finding:
    """To be looked at."""
    return Finding("remark", kind, text, cases)


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Problems first, alike ones together."""
    return sorted(findings, key=lambda finding: (GRADES.index(finding.grade), KINDS.index(finding.kind)))


def verdict(findings: Sequence[Finding]) -> str:
    """How many findings of each grade there are."""
    counts = [(sum(finding.grade == grade for finding in findings), grade) for grade in GRADES]
    told = [f"{count} {grade}{'s' if count > 1 else ''}" for count, grade in counts if count]
    return f"{' and '.join(told)}." if told else "Nothing found."


def relative(path: Path, folder: Path) -> str:
    """How a file is named in findings: inside the data set's folder by its path there, else in full."""
    return os.path.relpath(path, folder) if path.is_relative_to(folder) else str(path)


def number(value: float) -> str:
    """Three digits that count, and all before the decimal point."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def by_axis(values: Sequence[float] | np.ndarray) -> str:
    """A size or spacing: `512 x 512 x 80`."""
    return " x ".join(map(number, values))


def exactly(values: Sequence[float] | np.ndarray) -> str:
    """Numbers in which a difference in the sixth digit still shows: `(0.78125, 0.78125, 5)`."""
    return f"({', '.join(f'{value:.6g}' for value in values)})"
