"""What stands in the cells of the tables: a figure, its ratio to another, its goal, or why there is none."""

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.gpu.rows import Row
from benchmarks.gpu.store import Rows

NOT_MEASURED = "not measured"


class Figures:
    """The rows of a file, asked by what they are of."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def of(self, part: str, plan: str, trainer: str, compiled: bool = False) -> dict[str, Any]:
        """All figures of a row; `missing` says why there are none."""
        return self.rows.get(Row(part, plan, trainer, compiled, 0).key, {})

    def step(self, plan: str, trainer: str, compiled: bool) -> dict[str, Any]:
        """A training step, of whichever part."""
        return self.of("steps", plan, trainer, compiled) or self.of("fast", plan, trainer, compiled)


def seconds(figures: dict[str, Any]) -> float | None:
    """The median of a row's runs."""
    return statistics.median(figures["runs"]) if "runs" in figures else None


def ratio(value: float | None, other: float | None) -> float | None:
    return value / other if value and other else None


def cell(figures: dict[str, Any], value: float | None, text: str = "{:.1f}", against: float | None = None) -> str:
    """A figure with its ratio to another's, or why there is none."""
    if value is None:
        return figures.get("missing", NOT_MEASURED)
    share = ratio(value, against)
    return text.format(value) + ("" if share is None else f" ({share:.2f}x)")


def verdict(value: float | None, goal: float | None, unit: str = "x") -> str:
    """A goal, and whether it was met where the figure is known."""
    if goal is None:
        return "-"
    met = "" if value is None else ": met" if value <= goal else ": missed"
    return f"<= {goal:g}{unit}{met}"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Markdown; a bar in a cell would end it."""
    content = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in content)


def milliseconds(figures: dict[str, Any]) -> float | None:
    value = seconds(figures)
    return None if value is None else 1000 * value


def gigabytes(figures: dict[str, Any]) -> float | None:
    value = figures.get("memory_mb")
    return None if value is None else value / 1024
