"""What a run shows."""

import io
import json
import re
import subprocess
import sys

import pytest
from rich.console import Console

from nnunet_skipx.bench.cell import Cell, Progress
from nnunet_skipx.bench.live import LiveView, time_left, told_hours
from nnunet_skipx.bench.local import Run
from tests.bench.conftest import finish


def console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=140, color_system=None)


def shown(view: LiveView, run: Run) -> str:
    view.show(run)
    assert isinstance(view.console.file, io.StringIO)
    return view.console.file.getvalue()


@pytest.fixture
def run(two_cells: list[Cell]) -> Run:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    folder = two_cells[0].folder
    folder.mkdir(parents=True)
    (folder / "debug.json").write_text(json.dumps({"num_epochs": "10"}))
    stamp = "2026-01-01 10:00:00.000000: "
    lines = ["Epoch 0", "Pseudo dice [0.5]", "Epoch time: 400.0 s"]
    (folder / "training_log_2026_1_1_1_1_1.txt").write_text("".join(f"{stamp}{line}\n" for line in lines))
    return Run(two_cells, waiting=two_cells[1:], running={two_cells[0]: process})


def test_in_a_terminal_the_trainings_under_way_are_a_table(run: Run) -> None:
    with LiveView(console(terminal=True)) as view:
        text = shown(view, run)
    assert re.search(r"Dataset099_Phantom.*nnUNetTrainer.*1/10.*0\.5000.*1 h", text)
    assert "0 of 2 done, 1 running, 1 waiting" in text


def test_elsewhere_every_change_is_one_line(run: Run, two_cells: list[Cell]) -> None:
    with LiveView(console(terminal=False)) as view:
        shown(view, run)
        text = shown(view, run)
        assert text.count("\n") == 1
        assert text.endswith("Dataset099_Phantom 3d_fullres fold 0 nnUNetTrainer nnUNetPlans: started\n")
        run.running.clear()
        finish(two_cells[0])
        run.failed, run.waiting = dict.fromkeys(run.waiting, "exit status 1"), []
        text = shown(view, run)
    assert text.count("\n") == 3
    assert "fold 0 nnUNetTrainer nnUNetPlans: done, Dice 0.7500" in text
    assert "fold 1 nnUNetTrainer nnUNetPlans: FAILED, exit status 1" in text


def test_what_was_done_before_is_not_reported_as_done_now(run: Run, two_cells: list[Cell]) -> None:
    run.running.clear()
    finish(two_cells[0])
    with LiveView(console(terminal=False)) as view:
        assert "fold 0" not in shown(view, run)


def test_the_end_of_a_run_is_shown_however_soon_it_comes(run: Run, two_cells: list[Cell]) -> None:
    with LiveView(console(terminal=False)) as view:
        view(run)
        run.running.clear()
        finish(two_cells[0])
        view(run)
    assert isinstance(view.console.file, io.StringIO)
    assert view.console.file.getvalue().endswith("done, Dice 0.7500\n")


def test_time_left_says_what_is_known() -> None:
    assert time_left(Progress(3, 10, 0.5, 2.0)) == "0.0039 h"
    assert time_left(Progress(0, 10, None, None)) == "-"
    assert time_left(Progress(3, None, 0.5, 2.0)) == "-"
    assert time_left(Progress(10, 10, 0.5, 2.0)) == "validating"
    assert told_hours(100.4) == "100 h"
