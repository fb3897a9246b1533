"""A cell reads its state from nnU-Net's files alone."""

import json
from pathlib import Path

import pytest

from nnunet_skipx.bench.cell import Cell, Progress


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    return Cell(tmp_path, "Dataset099_Phantom", "3d_fullres", 2, "nnUNetTrainer", "nnUNetPlans")


def write_log(cell: Cell, name: str, epochs: dict[int, float], unfinished: int | None = None) -> None:
    cell.folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for epoch, dice in epochs.items():
        lines += [
            f"Epoch {epoch}",
            "train_loss 0.1",
            "val_loss 0.2",
            f"Pseudo dice [{dice}, {dice}]",
            "Epoch time: 4.0 s",
        ]
    lines += [] if unfinished is None else [f"Epoch {unfinished}"]
    text = "".join(f"2026-01-01 10:00:00.000000: {line}\n" for line in lines)
    (cell.folder / f"training_log_2026_1_1_{name}.txt").write_text(text)


def test_its_folder_is_where_nnunet_writes(cell: Cell) -> None:
    assert cell.folder.relative_to(cell.results) == Path(
        "Dataset099_Phantom/nnUNetTrainer__nnUNetPlans__3d_fullres/fold_2"
    )
    assert cell.log.parent == cell.lock.parent
    assert cell.folder not in cell.log.parents


def test_it_is_done_when_its_whole_summary_is_there(cell: Cell) -> None:
    assert not cell.is_done()
    (cell.folder / "validation").mkdir(parents=True)
    summary = cell.folder / "validation" / "summary.json"
    whole = json.dumps({"foreground_mean": {"Dice": 0.5}, "mean": {}, "metric_per_case": []})
    for text in (whole[: len(whole) // 2], "", "{}"):
        summary.write_text(text)
        assert not cell.is_done()
    summary.write_text(whole)
    assert cell.is_done()


def test_before_the_first_epoch_little_is_known(cell: Cell) -> None:
    assert cell.progress() == Progress(0, None, None, None)
    write_log(cell, "10_00_00", {}, unfinished=0)
    (cell.folder / "debug.json").write_text('{"num_epochs": "1000"}')
    assert cell.progress() == Progress(0, 1000, None, None)
    assert cell.progress().seconds_left is None


def test_progress_counts_on_after_a_resumed_training(cell: Cell) -> None:
    write_log(cell, "10_00_00", {0: 0.5, 1: 0.9}, unfinished=2)
    write_log(cell, "11_00_00", {1: 0.7}, unfinished=2)
    (cell.folder / "debug.json").write_text('{"num_epochs": "6"}')
    progress = cell.progress()
    assert (progress.epoch, progress.epochs, progress.seconds) == (2, 6, 4.0)
    assert progress.ema_dice == pytest.approx(0.9 * 0.5 + 0.1 * 0.7)
    assert progress.seconds_left == 16.0


def test_it_travels_to_another_process(cell: Cell) -> None:
    assert Cell.from_json(cell.to_json()) == cell
