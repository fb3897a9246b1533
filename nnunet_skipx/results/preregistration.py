"""What a comparison promised before it was trained: a margin of non-inferiority, and between which rows."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from nnunet_skipx.statistics.metric import DICE, base_name, metric_of, quantity
from nnunet_skipx.system.files import write_json
from nnunet_skipx.system.json_files import (
    Rule,
    UnfitError,
    anything,
    list_of,
    name,
    number,
    object_of,
    read_json,
    record,
)

FILE = Path("skipx_bench") / "margins.json"  # in nnUNet_results; a list to which lines are added, never changed
LOG_NAME = re.compile(r"training_log_(\d+)_(\d+)_(\d+)_(\d+)_(\d+)_(\d+)\.txt")
Pair = tuple[str, str]  # model folders' names: a row and the one it is compared with


@dataclass(frozen=True)
class Margin:
    """A margin, and how it came to be. told: the whole sentence; origin: what stands beside every claim.

    metric: that it is in, by its name in the tables, without which it says nothing.
    """

    value: float
    fixed: date | None
    told: str
    metric: str = DICE

    @property
    def preregistered(self) -> bool:
        """Whether it was fixed before training."""
        return self.fixed is not None

    @property
    def origin(self) -> str:
        """fixed before training on 2026-01-31, or not preregistered."""
        return f"fixed before training on {self.fixed:%Y-%m-%d}" if self.fixed else "not preregistered"


@dataclass(frozen=True)
class Promise:
    """One entry of the file. at: local time of the machine that wrote it, as nnU-Net's logs have it."""

    at: datetime
    margin: float
    comparisons: dict[str, tuple[Pair, ...]]
    metric: str = DICE


def read_promises(results: Path) -> list[Promise]:
    """All of them, oldest first; none without the file. Errors as `read_json` raises them."""
    path = results / FILE
    entries = read_json(path, PROMISES, "restore the file as skipx bench wrote it") if path.is_file() else []
    made = [
        Promise(
            datetime.fromisoformat(entry["date"]).replace(tzinfo=None),
            float(entry["margin"]),
            {dataset: tuple((a, b) for a, b in pairs) for dataset, pairs in entry["comparisons"].items()},
            entry.get("metric", DICE),
        )
        for entry in entries
    ]
    return sorted(made, key=lambda promise: promise.at)


def write_promise(results: Path, entry: dict[str, Any]) -> None:
    """Add an entry: date, margin, its metric, comparisons and matrix. Errors as `read_promises`, or OSError."""
    path = results / FILE
    before = read_json(path, PROMISES, "restore the file as skipx bench wrote it") if path.is_file() else []
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, [*before, entry])


def margins_of(
    promises: Sequence[Promise],
    dataset: str,
    pairs: Collection[Pair],
    begun: datetime | None,
    asked: Mapping[str, float],
) -> list[Margin]:
    """`margin_of` in every metric that has one, Dice first; asked: by metric."""
    promised = [promise.metric for promise in promises if dataset in promise.comparisons]
    metrics = sorted(dict.fromkeys((*asked, *promised)), key=lambda metric: metric != DICE)
    found = (margin_of(promises, dataset, pairs, begun, asked.get(metric), metric) for metric in metrics)
    return [margin for margin in found if margin is not None]


def margin_of(
    promises: Sequence[Promise],
    dataset: str,
    pairs: Collection[Pair],
    begun: datetime | None,
    asked: float | None,
    metric: str = DICE,
) -> Margin | None:
    """The margin of a report on these pairs, whose first training began then (None: unknown); None for no margin.

    asked: what the report's user gives; it takes precedence, and is preregistered only where it is what was promised.
    """
    of_these = [promise for promise in promises if dataset in promise.comparisons and promise.metric == metric]
    if asked is None and not of_these:
        return None
    before = [promise for promise in of_these if begun is not None and promise.at <= begun]
    value = asked if asked is not None else (before or of_these)[-1].margin
    why_not = _why_not(of_these, before, dataset, pairs, begun, value)
    named = f"The margin of {quantity(value, metric)}"
    if why_not:
        return Margin(value, None, f"{named} is not preregistered: {why_not}.", metric)
    later = "; another was written later and does not count" if of_these[-1].margin != value else ""
    fixed = before[-1].at.date()
    return Margin(value, fixed, f"{named} was fixed before training on {fixed:%Y-%m-%d}{later}.", metric)


def _why_not(
    of_these: Sequence[Promise],
    before: Sequence[Promise],
    dataset: str,
    pairs: Collection[Pair],
    begun: datetime | None,
    value: float,
) -> str:
    if not of_these:
        return "skipx bench --margin wrote none in this metric before training"
    if begun is None:
        return "no training log says when training began"
    if not before:
        return f"training began on {begun:%Y-%m-%d %H:%M}, before it was written on {of_these[0].at:%Y-%m-%d %H:%M}"
    fixed = before[-1]
    if value != fixed.margin:
        return f"--margin {value:g} differs from the {fixed.margin:g} fixed on {fixed.at:%Y-%m-%d}"
    unplanned = sorted(pair for pair in pairs if pair not in fixed.comparisons[dataset])
    if unplanned:
        return f"{unplanned[0][0]} against {unplanned[0][1]} was not planned on {fixed.at:%Y-%m-%d}"
    return ""


def first_training(fold_folders: Iterable[Path]) -> datetime | None:
    """When the first of the trainings began, as the names of nnU-Net's logs say; None where one has no log."""
    begun = []
    for folder in fold_folders:
        found = [match for path in folder.glob("training_log_*.txt") if (match := LOG_NAME.fullmatch(path.name))]
        times = [time for match in found if (time := _time(*map(int, match.groups()))) is not None]
        if not times:
            return None
        begun.append(min(times))
    return min(begun, default=None)


def _time(*parts: int) -> datetime | None:
    try:
        return datetime(*parts)  # type: ignore[arg-type]
    except ValueError:
        return None


def whole_name(metric: str) -> str:
    """A metric's name as tables have it, which a promise needs; ValueError where its setting is missing.

    >>> whole_name("Dice"), whole_name("NSD (2 mm)")
    ('Dice', 'NSD (2 mm)')
    """
    known = metric_of(metric)
    if known.setting and base_name(metric) == metric:
        raise ValueError(
            f"--margin in {metric} does not say which: give its name as skipx report has it, such as "
            f"'{metric} ({known.setting})=VALUE'"
        )
    return metric


def _metric(value: Any) -> None:
    """A metric's whole name."""
    try:
        whole_name(value)
    except (ValueError, TypeError, AttributeError):
        raise UnfitError(value, "a metric with its setting, such as Dice or NSD (1 mm)") from None


def _date(value: Any) -> None:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise UnfitError(value, "a date such as 2026-01-31T12:00:00+01:00") from None


PROMISES: Rule = list_of(
    record(
        {
            "date": _date,
            "margin": number(1e-6, 1e9),
            "comparisons": object_of(list_of(list_of(name, 2, 2)), keys=name),
        },
        {"metric": _metric, "matrix": anything},  # entries are never changed, and the oldest are of Dice
    )
)
