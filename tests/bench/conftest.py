"""Cells that have no data: enough for everything but training."""

import json
import sys
from pathlib import Path

import pytest

from nnunet_skipx.bench.cell import Cell
from tests.forking.fixture import ForkServer


@pytest.fixture
def two_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    results = tmp_path / "nnUNet_results"
    return [Cell(results, "Dataset099_Phantom", "3d_fullres", f, "nnUNetTrainer", "nnUNetPlans") for f in (0, 1)]


@pytest.fixture
def forked_children(forks: ForkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started with this Python is forked from a process that has imported everything."""
    monkeypatch.setattr(sys, "executable", str(forks.python))
    for name, value in forks.variables.items():
        monkeypatch.setenv(name, value)


def finish(cell: Cell) -> None:
    """Write what nnU-Net writes last."""
    (cell.folder / "validation").mkdir(parents=True)
    (cell.folder / "validation" / "summary.json").write_text(json.dumps({"foreground_mean": {"Dice": 0.75}}))
