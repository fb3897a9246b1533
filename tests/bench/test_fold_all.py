"""nnU-Net's fold `all` is trained on every case, and then done: it has no validation cases."""

import json
from pathlib import Path

import pytest

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.command import dry_run
from nnunet_skipx.bench.letters import read_matrix
from nnunet_skipx.bench.live import result
from nnunet_skipx.bench.matrix import Matrix, cells
from nnunet_skipx.bench.planned_study import planned_studies
from nnunet_skipx.bench.slots import Slot
from nnunet_skipx.bench.state import told
from nnunet_skipx.bench.train_cell import TrainingOrder, train_cell
from nnunet_skipx.nnunet.checkpoints import read_checkpoint
from nnunet_skipx.nnunet.folds import ALL, FINAL, NOTHING_LEFT
from nnunet_skipx.training.options.demo import DemoOption
from nnunet_skipx.universal.extract import extract
from tests.bench.test_matrix import planned  # noqa: F401
from tests.universal.conftest import Make, make_domain
from tests.universal.runs import SHALLOW, UNIVERSAL, make_run

__all__ = ["make_domain"]  # a fixture
NEXT_STAGE = {
    "dataset_name": "Dataset099_Phantom",
    "plans_name": "nnUNetPlans",
    "configurations": {"3d_fullres": {"data_identifier": "nnUNetPlans_3d_fullres", "next_stage": "3d_cascade_fullres"}},
}


@pytest.fixture
def short_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DemoOption, "iterations_per_epoch", 2)
    monkeypatch.setattr(
        "nnunetv2.training.logging.nnunet_logger.LocalLogger.plot_progress_png",
        lambda _, folder: Path(folder, "progress.png").write_bytes(b"drawn"),
    )


def cell_of(results: Path, dataset: str, trainer: str) -> Cell:
    return Cell(results, dataset, "test", ALL, trainer, "nnUNetPlans")


def test_it_stands_in_a_matrix_as_numbers_do(planned: Path, tmp_path: Path) -> None:  # noqa: F811
    everything = cells(Matrix(("998",), ("3d_fullres",), ("nnUNetTrainer",), folds=(1, ALL, 0)), planned)
    assert [cell.fold for cell in everything] == [1, ALL, 0]
    assert everything[1].folder.name == "fold_all"
    assert Cell.from_json(everything[1].to_json()) == everything[1]
    assert ALL not in {cell.fold for cell in cells(Matrix(("998",), ("3d_fullres",), ("nnUNetTrainer",)), planned)}
    path = tmp_path / "matrix.toml"
    path.write_text('d = 998\nc = "3d_fullres"\ntr = "nnUNetTrainer"\nf = ["all", 0]\n')
    assert read_matrix(path).folds == (ALL, 0)


def test_what_compares_before_training_refuses_it(planned: Path) -> None:  # noqa: F811
    with pytest.raises(ValueError, match=NOTHING_LEFT):
        planned_studies(Matrix(("998",), ("3d_fullres",), ("a", "b"), folds=(0, ALL)))


def test_it_is_done_when_it_is_trained(two_cells: list[Cell]) -> None:
    numbered, cell = two_cells[0], Cell(**{**vars(two_cells[0]), "fold": ALL})
    assert told(cell) == "missing"
    for one in (numbered, cell):
        one.folder.mkdir(parents=True)
        (one.folder / FINAL).touch()
    assert cell.is_done() and not numbered.is_done()
    assert result(cell) == "trained on every case"


def test_where_a_next_stage_needs_its_predictions_it_is_done_after_them(two_cells: list[Cell]) -> None:
    cell = Cell(**{**vars(two_cells[0]), "fold": ALL})
    cell.folder.mkdir(parents=True)
    (cell.folder / FINAL).touch()
    (cell.folder.parent / "plans.json").write_text(json.dumps(NEXT_STAGE))
    assert not cell.is_done()
    (cell.folder / "validation").mkdir()
    (cell.folder / "validation" / "summary.json").write_text(json.dumps({"foreground_mean": {"Dice": 0.75}}))
    assert cell.is_done()
    assert result(cell) == "trained on every case", "a Dice of cases that it was trained on is none"


@pytest.mark.usefixtures("short_epochs")
def test_its_training_ends_without_predicting_what_it_was_trained_on(make_domain: Make) -> None:
    folder = make_domain(11, SHALLOW)
    cell = cell_of(folder.parents[1] / "nnUNet_results", folder.name, "nnUNetTrainer_demo_1epochs")
    assert train_cell(TrainingOrder(cell, "cpu", 1)) == 0
    assert cell.is_done() and not (cell.folder / "validation").exists()
    assert read_checkpoint(cell.folder / FINAL)["init_args"]["fold"] == ALL
    text = dry_run(Matrix(("11",), ("test",), (cell.trainer,), folds=(ALL,)), [Slot("cpu")])
    assert text.splitlines()[1].split()[:3] == [folder.name, "test", "all"]
    assert "1 of 1 cells are done" in text


@pytest.mark.usefixtures("short_epochs")
def test_a_universal_run_trains_it_and_its_domains_are_extracted(make_domain: Make) -> None:
    run = make_run(make_domain)
    cell = cell_of(run.parents[1] / "nnUNet_results", run.name, f"{UNIVERSAL}_demo_1epochs")
    assert train_cell(TrainingOrder(cell, "cpu", 1)) == 0
    assert cell.is_done()
    written = extract(500, [ALL])
    assert [path.name for path in written] == ["fold_all"] * 2
    assert all((path / FINAL).is_file() and not (path / "validation").exists() for path in written)
