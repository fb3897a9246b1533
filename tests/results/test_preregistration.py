"""A margin is preregistered where it was written before the first training, for these comparisons, and not changed."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.results.preregistration import (
    FILE,
    Promise,
    first_training,
    margin_of,
    margins_of,
    read_promises,
    write_promise,
)

PAIR = ("A__p__c", "B__p__c")
HD95 = "HD95 with misses (mm, image diagonal)"
DAY = datetime(2026, 3, 1, 12)
ENTRY = {"date": "2026-03-01T12:00:00+01:00", "margin": 0.01, "comparisons": {"Heart": [list(PAIR)]}, "matrix": {}}


def promise(day: int, margin: float) -> Promise:
    return Promise(DAY + timedelta(days=day), margin, {"Heart": (PAIR,)})


def test_what_is_written_is_read_again_in_local_time(tmp_path: Path) -> None:
    assert read_promises(tmp_path) == []
    write_promise(tmp_path, ENTRY)
    write_promise(tmp_path, {**ENTRY, "margin": 0.02, "date": "2026-02-01T12:00:00+01:00"})
    first, second = read_promises(tmp_path)
    assert (first.margin, second.margin) == (0.02, 0.01), "the oldest first"
    assert second == promise(0, 0.01)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({**ENTRY, "date": "yesterday"}, r'\[0\]\.date is "yesterday", expected a date such as'),
        ({**ENTRY, "date": 5}, r"\[0\]\.date is 5"),
        ({**ENTRY, "margin": 0}, r"\[0\]\.margin is 0"),
        ({**ENTRY, "metric": "NSD"}, r'\[0\]\.metric is "NSD", expected a metric with its setting'),
        ({**ENTRY, "metric": 5}, r"\[0\]\.metric is 5, expected a metric with its setting"),
        ({**ENTRY, "comparisons": {"Heart": [["A"]]}}, r"\[0\]\.comparisons"),
        ({"margin": 0.01}, r"\[0\]\.date is missing"),
    ],
)
def test_a_broken_file_ends_in_one_sentence(tmp_path: Path, wrong: dict, message: str) -> None:
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_text(json.dumps([wrong]))
    with pytest.raises(ValueError, match=message):
        read_promises(tmp_path)


@given(st.lists(st.tuples(st.integers(-5, 5), st.sampled_from([0.01, 0.02])), min_size=1, max_size=4), st.booleans())
def test_the_last_word_before_training_counts(entries: list[tuple[int, float]], asked: bool) -> None:
    entries = sorted(entries, key=lambda entry: entry[0])
    margin = margin_of([promise(*e) for e in entries], "Heart", [PAIR], DAY, 0.01 if asked else None)
    before = [value for day, value in entries if day <= 0]
    assert margin is not None
    assert margin.preregistered == bool(before and (not asked or before[-1] == 0.01))
    assert margin.value == (0.01 if asked else (before or [value for _, value in entries])[-1])
    changed = margin.preregistered and entries[-1][1] != margin.value
    assert ("another was written later" in margin.told) == changed


def test_what_was_not_promised_is_not_preregistered() -> None:
    assert margin_of([], "Heart", [PAIR], DAY, None) is None
    assert margin_of([promise(-1, 0.01)], "Liver", [PAIR], DAY, None) is None
    for promises, pairs, begun, asked, why in (
        ([], [PAIR], DAY, 0.01, "wrote none in this metric before training"),
        ([promise(-1, 0.01)], [PAIR], None, None, "no training log says when training began"),
        ([promise(-1, 0.01)], [PAIR], DAY, 0.02, "--margin 0.02 differs from the 0.01 fixed on 2026-02-28"),
        ([promise(-1, 0.01)], [PAIR, ("C__p__c", "B__p__c")], DAY, None, "C__p__c against B__p__c was not planned"),
        ([promise(1, 0.01)], [PAIR], DAY, None, "before it was written on 2026-03-02"),
    ):
        margin = margin_of(promises, "Heart", pairs, begun, asked)
        assert margin is not None and not margin.preregistered and why in margin.told


def test_a_margin_counts_in_its_own_metric_only() -> None:
    in_mm = Promise(DAY - timedelta(days=1), 2.0, {"Heart": (PAIR,)}, HD95)
    found = margins_of([in_mm, promise(-2, 0.01)], "Heart", [PAIR], DAY, {})
    assert [(margin.metric, margin.value, margin.preregistered) for margin in found] == [
        ("Dice", 0.01, True),
        (HD95, 2.0, True),
    ]
    assert found[1].told.startswith("The margin of 2 in HD95 with misses (mm, image diagonal) was fixed")
    (dice,) = margins_of([], "Heart", [PAIR], DAY, {"Dice": 2.0})
    assert dice.metric == "Dice" and not dice.preregistered
    dice, _ = margins_of([in_mm], "Heart", [PAIR], DAY, {"Dice": 2.0})
    assert not dice.preregistered and "wrote none in this metric" in dice.told


def test_the_first_training_is_the_earliest_log_and_unknown_where_one_has_none(tmp_path: Path) -> None:
    for fold, names in enumerate((("2026_3_2_1_00_00", "2026_11_1_1_00_00"), ("2026_12_24_18_05_09",), ())):
        (tmp_path / f"fold_{fold}").mkdir()
        for name in names:
            (tmp_path / f"fold_{fold}" / f"training_log_{name}.txt").touch()
    assert first_training([tmp_path / "fold_1", tmp_path / "fold_0"]) == datetime(2026, 3, 2, 1)
    assert first_training([tmp_path / "fold_0", tmp_path / "fold_2"]) is None
    (tmp_path / "fold_2" / "training_log_2026_13_45_1_1_1.txt").touch()
    assert first_training([tmp_path / "fold_2"]) is None
