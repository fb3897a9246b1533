"""benchmarks.gpu: rows run side by side, have their turns alone, and cost nobody else anything when they fail."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu import child, schedule
from benchmarks.gpu.measure import FIRST_STEP, TURN, UnavailableError
from benchmarks.gpu.rows import Row
from benchmarks.gpu.schedule import NO_TIME, Schedule
from benchmarks.gpu.sizes import rehearsal

Told = dict[str, dict[str, Any]]
Run = Callable[..., Told]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs rows whose trainer names a function of this module, on two cores; returns what was told of each."""
    monkeypatch.setattr(child, "MEASURES", {"test": lambda row, sizes: globals()[row.trainer](tmp_path)})
    monkeypatch.setattr(child.os, "sched_setaffinity", lambda pid, cores: None)
    monkeypatch.setattr(schedule.os, "sched_getaffinity", lambda pid: {0, 1})

    def rows(*names: str, minutes: float = 1, **details: Any) -> Told:
        told: Told = {}
        wanted = [Row("test", "", name, False, **({"seconds": 5} | details)) for name in names]
        Schedule(
            wanted,
            rehearsal("cpu"),
            tmp_path,
            time.monotonic() + 60 * minutes,
            lambda row, figures: told.setdefault(row.trainer, {}).update(figures),
        ).run()
        return told

    return rows


def good(folder: Path) -> Iterator[dict]:
    yield {"runs": [1.0]}
    yield {"memory_mb": 2.0}


def failing(folder: Path) -> Iterator[dict]:
    yield {"runs": [1.0]}
    raise RuntimeError("cuDNN said no\nand much more")


def killed(folder: Path) -> Iterator[dict]:
    os.kill(os.getpid(), 9)
    yield {}


def unavailable(folder: Path) -> Iterator[dict]:
    raise UnavailableError("this installation has no trainer X")
    yield {}


def full_beside_others(folder: Path) -> Iterator[dict]:
    """Out of memory the first time."""
    if not (folder / "tried").exists():
        (folder / "tried").touch()
        time.sleep(0.3)
        raise torch.OutOfMemoryError("CUDA out of memory.")
    yield {"runs": [1.0]}


def full(folder: Path) -> Iterator[dict]:
    raise torch.OutOfMemoryError("CUDA out of memory.")
    yield {}


def slow(folder: Path) -> Iterator[dict]:
    time.sleep(2)
    yield {"runs": [2.0]}


def endless(folder: Path) -> Iterator[dict]:
    yield {"runs": [2.0]}
    time.sleep(600)


def compiling(folder: Path) -> Iterator[str | dict]:
    """Tells the moments in which it is at work, once the others have begun, and then its first step."""
    moments = []
    while not (folder / "turn").exists():
        time.sleep(0.01)
    (folder / "compiling").touch()
    for _ in range(60):
        moments.append(time.monotonic())
        time.sleep(0.01)
    yield {"moments": moments}
    yield FIRST_STEP


def timing(folder: Path) -> Iterator[str | dict]:
    """Tells from when to when it had its turn."""
    (folder / "turn").touch()
    while not (folder / "compiling").exists():
        time.sleep(0.01)
    yield TURN
    start = time.monotonic()
    time.sleep(1)
    yield {"turn": (start, time.monotonic())}


def test_a_row_that_fails_says_why_and_the_others_go_on(run: Run, tmp_path: Path) -> None:
    told = run("failing", "good", "killed", "unavailable", "full", "good")
    assert told["failing"] == {"runs": [1.0], "missing": "not measured: RuntimeError: cuDNN said no"}
    assert told["good"] == {"runs": [1.0], "memory_mb": 2.0, "done": True}
    assert told["killed"] == {"missing": "not measured: its process was killed"}
    assert told["unavailable"] == {"missing": "not measured: this installation has no trainer X"}
    assert told["full"] == {"missing": "not measured: out of memory"}
    log = (tmp_path / "log.txt").read_text()
    assert "and much more" in log
    assert "UnavailableError" not in log


def test_what_found_the_memory_full_beside_others_is_tried_again_alone(run: Run) -> None:
    assert run("full_beside_others", "slow")["full_beside_others"] == {"runs": [1.0], "done": True}


def test_a_row_that_has_its_turn_has_the_machine_for_itself(run: Run) -> None:
    told = run("compiling", "timing")
    start, end = told["timing"]["turn"]
    moments = told["compiling"]["moments"]
    assert not [moment for moment in moments if start < moment < end]
    assert moments[-1] > end, "it stood still in the middle"
    assert told["compiling"]["first_seconds"] < moments[-1] - moments[0], "standing still does not count"
    assert told["compiling"]["first_cores"] == 1


def test_what_would_not_end_in_time_is_not_begun_and_shorter_rows_come_instead(run: Run) -> None:
    assert run("slow", minutes=0.1, seconds=60) == {"slow": {"missing": NO_TIME}}
    assert run("good", minutes=0.1, seconds=5)["good"]["done"]


def test_when_the_time_is_up_all_rows_end_and_keep_their_figures(run: Run) -> None:
    begin = time.monotonic()
    assert run("endless", minutes=0.03, seconds=1) == {"endless": {"runs": [2.0], "missing": NO_TIME}}
    assert time.monotonic() - begin < 10


def test_a_row_that_hangs_is_ended(run: Run) -> None:
    assert run("endless", seconds=0.25)["endless"]["missing"] == "not measured: took more than 1 s"


def test_a_row_that_must_be_alone_waits_and_has_all_cores(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []

    class Noted(schedule.Child):
        def __init__(self, row: Row, cores: list[int], *others: Any) -> None:
            given.append((len(cores), row.alone))
            super().__init__(row, cores, *others)

    monkeypatch.setattr(schedule, "Child", Noted)
    run("good", alone=True)
    run("good", cores=8)
    run("good")
    assert given == [(2, True), (2, False), (1, False)]


def test_an_interrupted_run_leaves_no_process(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[schedule.Child] = []

    def interrupted(self: Schedule) -> None:
        started.extend(self.children)
        if started:
            raise KeyboardInterrupt

    monkeypatch.setattr(Schedule, "give_up_late_ones", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("endless")
    assert [one.process.exitcode for one in started] == [-9]
