"""Cells: the disk says what is done, and a broken one does not stop the others."""
import json
from pathlib import Path

import pytest
import torch

from nnunet_skipx.demo.cells import STEPS, Cell, run_cells
from nnunet_skipx.demo.train_cell import drop_unreadable_checkpoints
from nnunet_skipx.demo.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        monkeypatch.setenv(name, "")  # create() sets them; monkeypatch puts them back
    workspace = Workspace(tmp_path)
    workspace.create()
    return workspace


def cell(workspace: Workspace, fold: int = 0) -> Cell:
    return Cell(workspace, "Dataset099_Phantom", "3d_fullres", "nnUNetTrainer_demo", fold)


def write_summary(cell: Cell, text: str) -> None:
    (cell.folder / "validation").mkdir(parents=True, exist_ok=True)
    (cell.folder / "validation" / "summary.json").write_text(text)


def test_a_cell_is_done_when_its_whole_summary_is_there(workspace: Workspace) -> None:
    one = cell(workspace)
    assert not one.is_done()
    whole = json.dumps({"foreground_mean": {"Dice": 0.5}, "mean": {}, "metric_per_case": []})
    write_summary(one, whole[: len(whole) // 2])
    assert not one.is_done()
    write_summary(one, "{}")
    assert not one.is_done()
    write_summary(one, whole)
    assert one.is_done()
    assert one.steps_done() == STEPS


def test_progress_counts_the_epochs_of_all_logs_of_a_resumed_training(workspace: Workspace) -> None:
    one = cell(workspace)
    one.folder.mkdir(parents=True)
    (one.folder / "training_log_1.txt").write_text("2026-01-01: Epoch 0 \n2026-01-01: Epoch 1 \n")
    (one.folder / "training_log_2.txt").write_text("2026-01-01: Epoch 1 \n2026-01-01: Epoch 2 \n")
    assert one.steps_done() == 2


def test_done_cells_are_not_run_again(workspace: Workspace) -> None:
    one = cell(workspace)
    write_summary(one, json.dumps({"foreground_mean": {}}))
    run_cells([one])  # would fail: there is no data
    assert not one.log.exists()


@pytest.mark.slow
def test_failing_cells_are_reported_with_the_end_of_their_logs(workspace: Workspace) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)2 of 2 trainings failed.*fold 1") as error:
        run_cells([cell(workspace, 0), cell(workspace, 1)])
    assert "Dataset099" in str(error.value)


def test_checkpoints_cut_off_by_a_kill_are_deleted_and_whole_ones_kept(tmp_path: Path) -> None:
    whole, cut, empty = (tmp_path / f"checkpoint_{name}.pth" for name in ("best", "latest", "final"))
    torch.save({"network_weights": torch.zeros(1000)}, whole)
    cut.write_bytes(whole.read_bytes()[:500])
    empty.touch()
    drop_unreadable_checkpoints(tmp_path)
    assert list(tmp_path.iterdir()) == [whole]
