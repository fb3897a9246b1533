"""What an argument may be: types for argparse that say which value is wrong, and what is a right one."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from nnunet_skipx.nnunet.folds import Fold, fold_named
from nnunet_skipx.nnunet.names import is_number, plain_float
from nnunet_skipx.statistics.metric import DICE, spelled
from nnunet_skipx.system.cores import available_cores

MOST = 1e9  # of any metric
PROCESSES_PER_CORE = 8


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number in plain digits."""

    def read(text: str) -> int:
        if not is_number(text.removeprefix("-")) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not one of the whole numbers {low} to {high}: give one")
        return int(text)

    return read


def real(high: float, or_zero: bool = False) -> Callable[[str], float]:
    """A number above 0, or 0 itself, and up to `high`; no NaN."""

    def read(text: str) -> float:
        value = plain_float(text)
        if value is None or not (0 < value <= high or (or_zero and value == 0)):
            lowest = "from" if or_zero else "above"
            raise argparse.ArgumentTypeError(f"{text!r} is no number {lowest} 0 to {high:g}: give one")
        return value

    return read


def fold(text: str) -> Fold:
    """A fold's number, or nnU-Net's `all`."""
    try:
        return fold_named(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def processes(text: str) -> int:
    """A number of processes that this machine can have."""
    return whole(1, PROCESSES_PER_CORE * available_cores())(text)


def path(text: str) -> Path:
    """A file or a folder; no empty text, which would be the current one."""
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name is no path: give one, or . for the current folder")
    return Path(text)


def require_existing(option: str, paths: Iterable[Path | None], cure: str = "check the spelling") -> None:
    """Raise FileNotFoundError for a path of an option that is not there."""
    for one in paths:
        if one is not None and not one.exists():
            raise FileNotFoundError(f"{option}: {one} does not exist: {cure}")


def metric(text: str) -> str:
    """A metric's name, with or without its setting."""
    try:
        return spelled(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def in_metric(text: str) -> tuple[str, float]:
    """METRIC=VALUE, or a value of Dice.

    >>> in_metric("hd95-with-misses=2"), in_metric("0.01")
    (('HD95 with misses', 2.0), ('Dice', 0.01))
    """
    named, is_named, value = text.rpartition("=")
    return metric(named) if is_named else DICE, real(MOST)(value)


class EachOnce(argparse.Action):
    """Several values, none of them twice."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: str | None = None) -> None:
        given: Sequence[Any] = values
        if twice := [value for value in given if given.count(value) > 1]:
            raise argparse.ArgumentError(self, f"{twice[0]} is named twice: name each once")
        setattr(namespace, self.dest, values)


class EachMetricOnce(argparse.Action):
    """Several `in_metric` as metric -> value, no metric twice."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: str | None = None) -> None:
        given: Sequence[tuple[str, float]] = values
        names = [name for name, _ in given]
        if twice := [name for name in names if names.count(name) > 1]:
            raise argparse.ArgumentError(self, f"{twice[0]} has two values: give one")
        setattr(namespace, self.dest, dict(given))


FOLDS: dict[str, Any] = {"nargs": "+", "action": EachOnce, "type": fold, "metavar": "FOLD"}  # of add_argument
