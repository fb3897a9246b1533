"""Logs of a training with dates and numbers that are none: a report is made of what can be read, or names the file."""

import shutil
from pathlib import Path

import pytest

from nnunet_skipx.results.training_log import parse_training_log, read_training_log
from tests.bad_inputs.ending import ending
from tests.made_up_study import DATASET, TRAINERS, Study, log_text, study

__all__ = ["study"]  # fixture
GOOD = log_text(0) + log_text(1)
STAMP = "2025-11-21 02:19:00.000001"
PREDICTED = f"{STAMP}: predicting case_00\n2025-11-21 02:19:09.000001: predicting case_01\n"
LOGS: dict[str, bytes] = {
    "nothing": b"",
    "zeros": bytes(1000),
    "not text": b"\xff\xfe\x00\x81" * 100,
    "a month of 13": PREDICTED.replace("-11-", "-13-").encode(),
    "a day of 0": PREDICTED.replace("-21 ", "-00 ").encode(),
    "hour 25": PREDICTED.replace(" 02:", " 25:").encode(),
    "year 0": PREDICTED.replace("2025", "0000").encode(),
    "digits of another script": PREDICTED.replace("2025", "٢٠٢٥").encode(),
    "a superscript epoch": GOOD.replace("Epoch 1", "Epoch ²").encode(),
    "an epoch of five thousand digits": GOOD.replace("Epoch 1", f"Epoch {'9' * 5000}").encode(),
    "a gate of five thousand digits": (GOOD + f"{STAMP}: Expert usage gate {'9' * 5000}: [0.5 0.5]\n").encode(),
    "negative seconds": GOOD.replace("1.0 s", "-5 s").encode(),
    "seconds of infinity": GOOD.replace("1.0 s", "inf s").encode(),
    "seconds of NaN": GOOD.replace("1.0 s", "nan s").encode(),
    "a loss of 1e999": GOOD.replace("train_loss 0.5", "train_loss 1e999").encode(),
    "a Dice of nothing": GOOD.replace("[np.float32(0.5), np.float32(0.5)]", "[]").encode(),
    "half a line": GOOD.encode()[:-30],
    "usage of other lengths": (
        log_text(0, extra=("Expert usage gate 1: [0.5 0.5]",)) + log_text(1, extra=("Expert usage gate 1: [1]",))
    ).encode(),
}


@pytest.mark.parametrize("name", LOGS)
def test_parsing(name: str, tmp_path: Path) -> None:
    (tmp_path / "training_log_2025_11_21_02_19_00.txt").write_bytes(LOGS[name])
    log = read_training_log(tmp_path)
    assert log.epochs["seconds"].between(0, 1e9).all()
    assert log.seconds_per_case is None or log.seconds_per_case >= 0


def test_a_date_that_is_none_costs_only_its_own_line() -> None:
    lines = [f"2025-11-21 02:19:0{second}.000001: predicting case_0{second}" for second in (0, 2, 4)]
    lines.insert(1, "2025-13-45 99:99:99.000001: predicting case_09")
    assert parse_training_log(lines).seconds_per_case == 2


@pytest.mark.parametrize("name", ["a month of 13", "seconds of NaN"])
def test_a_report(name: str, study: Study, tmp_path: Path) -> None:
    results = tmp_path / "results"
    for trainer in TRAINERS:
        folder = shutil.copytree(study.model_folder(trainer), results / DATASET / study.model_folder(trainer).name)
        for path in folder.rglob("training_log*"):
            path.write_bytes(LOGS[name])
    assert ending("report", "-d", "4", "-f", "0", "--results", results, "-o", tmp_path / "out").status == 0
