"""nnU-Net's text logs of one fold -> what each epoch measured."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

LONGEST = 1e8  # seconds of an epoch, three years
_TIMESTAMP = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?): ")
_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf)"
_NUMPY_WRAPPER = re.compile(r"np\.\w+\(")
_EPOCH = re.compile(r"Epoch ([0-9]{1,9})$")
_USAGE = re.compile(r"Expert usage gate ([0-9]{1,9}): (\[.*\])$")
_SCALARS = {
    "train_loss": re.compile(rf"train_loss ({_NUMBER})$"),
    "val_loss": re.compile(rf"val_loss ({_NUMBER})$"),
    "seconds": re.compile(rf"Epoch time: ({_NUMBER}) s$"),
    "balance_loss": re.compile(rf"Balance loss: ({_NUMBER})$"),
    "skipped_steps": re.compile(r"Skipped steps: (\d+)$"),
}
_PSEUDO_DICE = re.compile(r"Pseudo dice (\[.*\])$")
_COLUMNS = ("train_loss", "val_loss", "pseudo_dice", "seconds", "balance_loss", "skipped_steps")
_PREDICTING = re.compile(r"predicting \S")


@dataclass(frozen=True)
class TrainingLog:
    """One fold's training.

    epochs: index epoch; columns train_loss, val_loss, pseudo_dice (mean over classes), seconds, balance_loss and
        skipped_steps (NaN where the trainer logs none).
    expert_usage: gate number (from 1) -> table with index epoch and one column per expert.
    seconds_per_case: to predict a validation case; median, None for fewer than two cases.
    """

    epochs: pd.DataFrame
    expert_usage: dict[int, pd.DataFrame]
    seconds_per_case: float | None = None


def read_training_log(fold_folder: Path) -> TrainingLog:
    """Read all `training_log_*.txt` of a fold folder, oldest first; FileNotFoundError when there is none."""
    paths = sorted((path for path in fold_folder.glob("training_log_*.txt") if path.is_file()), key=_written_at)
    if not paths:
        raise FileNotFoundError(
            f"No training_log_*.txt in {fold_folder}: this fold has not been trained here. "
            "Check the folder, or train the fold with nnUNetv2_train."
        )
    lines: list[str] = []
    for path in paths:
        lines += path.read_text(encoding="utf-8", errors="replace").splitlines()
    return parse_training_log(lines)


def parse_training_log(lines: Sequence[str]) -> TrainingLog:
    """Finished epochs only; a line 'Epoch N' voids what was logged for N and later, as resuming at N does."""
    epochs: dict[int, dict[str, Any]] = {}
    epoch: int | None = None
    for line in lines:
        text = _TIMESTAMP.sub("", line).strip()
        if match := _EPOCH.match(text):
            epoch = int(match[1])
            epochs = {number: record for number, record in epochs.items() if number < epoch}
            epochs[epoch] = {"usage": {}}
        elif epoch is not None:
            _read_line(text, epochs[epoch])
    finished = {number: record for number, record in epochs.items() if 0 <= record.get("seconds", -1) <= LONGEST}
    return TrainingLog(_epoch_table(finished), _usage_tables(finished), _seconds_per_case(lines))


def _seconds_per_case(lines: Sequence[str]) -> float | None:
    """From the times at which nnU-Net said that it began a case; the median leaves out waits and interruptions."""
    stamps = [match for line in lines if (match := _TIMESTAMP.match(line)) and _PREDICTING.match(line[match.end() :])]
    begun = [time for stamp in stamps if (time := _time_of(stamp[1])) is not None]
    seconds = [(later - earlier).total_seconds() for earlier, later in pairwise(begun)]
    known = [length for length in seconds if length >= 0]  # clocks are set back
    return float(np.median(known)) if known else None


def _time_of(stamp: str) -> datetime | None:
    """None for a date that does not exist, as a broken line may have."""
    try:
        return datetime.fromisoformat(stamp)
    except ValueError:
        return None


def _written_at(path: Path) -> tuple[int, ...]:
    # nnU-Net does not zero-pad month and day in the name, so the names do not sort by themselves.
    return tuple(map(int, re.findall(r"\d+", path.name)))


def _read_line(text: str, record: dict[str, Any]) -> None:
    for name, pattern in _SCALARS.items():
        if match := pattern.match(_unwrap(text)):
            record[name] = float(match[1])
    if match := _PSEUDO_DICE.match(text):
        record["pseudo_dice"] = _mean_of_known(_numbers(match[1]))
    if match := _USAGE.match(text):
        record["usage"][int(match[1])] = _numbers(match[2])


def _unwrap(text: str) -> str:
    """'np.float64(0.5)' -> '0.5'."""
    return _NUMPY_WRAPPER.sub("", text).replace(")", "")


def _numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(_NUMBER, _unwrap(text))]


def _mean_of_known(values: Sequence[float]) -> float:
    """nnU-Net's mean over classes: classes that no validation patch contained are NaN and do not count."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _epoch_table(epochs: dict[int, dict[str, Any]]) -> pd.DataFrame:
    rows = [[record.get(name, float("nan")) for name in _COLUMNS] for record in epochs.values()]
    return pd.DataFrame(rows, columns=list(_COLUMNS), index=pd.Index(epochs, name="epoch", dtype=int), dtype=float)


def _usage_tables(epochs: dict[int, dict[str, Any]]) -> dict[int, pd.DataFrame]:
    gates: dict[int, dict[int, list[float]]] = {}
    for number, record in epochs.items():
        for gate, usage in record["usage"].items():
            gates.setdefault(gate, {})[number] = usage
    return {gate: pd.DataFrame.from_dict(gates[gate], orient="index").rename_axis("epoch") for gate in sorted(gates)}
