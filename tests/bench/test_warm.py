"""Warm rows of a matrix: beside those from scratch, all from one file."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.letters import read_matrix
from nnunet_skipx.bench.matrix import Matrix
from nnunet_skipx.bench.warm import note_weights, require_same_weights
from nnunet_skipx.results.provenance import provenance

NAMES = ("nnUNetTrainer_250epochs", "nnUNetTrainerUTANet", "nnUNetTrainerUTANet_stage2")


def test_each_trainer_that_starts_from_scratch_has_a_warm_one_beside_it(tmp_path: Path) -> None:
    weights = tmp_path / "checkpoint_final.pth"
    weights.touch()
    matrix = Matrix(("4",), ("3d_fullres",), NAMES, weights=str(weights))
    assert matrix.rows == (NAMES[0], f"{NAMES[0]}_warm", NAMES[1], f"{NAMES[1]}_warm", NAMES[2])
    pair = (NAMES[1], f"{NAMES[1]}_warm")
    assert replace(matrix, trainers=pair).rows == pair
    assert Matrix(("4",), ("3d_fullres",), NAMES[:2]).rows == NAMES[:2]


@pytest.mark.parametrize("trainer", [f"{NAMES[0]}_warm", NAMES[2]])
def test_a_row_that_wants_weights_is_refused_without(trainer: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{trainer} starts from pretrained weights: add -pretrained_weights"):
        _ = Matrix(("4",), ("3d_fullres",), (trainer,)).rows
    with pytest.raises(FileNotFoundError, match=r"-pretrained_weights: there is no file .*/none\.pth"):
        _ = Matrix(("4",), ("3d_fullres",), (trainer,), weights=str(tmp_path / "none.pth")).rows


def test_a_file_names_the_weights_too(tmp_path: Path) -> None:
    path = tmp_path / "matrix.toml"
    path.write_text("d = 4\nc = '3d_fullres'\ntr = 'nnUNetTrainer'\npretrained_weights = 'a.pth'\n")
    assert read_matrix(path).weights == "a.pth"
    path.write_text(path.read_text().replace("'a.pth'", "['a.pth']"))
    with pytest.raises(ValueError, match="pretrained_weights is a list; give one value"):
        read_matrix(path)


def test_a_row_is_started_from_one_file(two_cells: list[Cell], tmp_path: Path) -> None:
    weights, same, other = (tmp_path / name for name in ("a.pth", "b.pth", "c.pth"))
    for path, content in zip((weights, same, other), (b"weights", b"weights", b"others"), strict=True):
        path.write_bytes(content)
    cell = replace(two_cells[0], weights=str(weights))
    note_weights(cell)
    require_same_weights([replace(cell, weights=str(other))])  # nothing has been trained from the first
    (cell.folder / "checkpoint_latest.pth").touch()
    require_same_weights([cell, replace(cell, weights=str(same)), two_cells[1]])
    with pytest.raises(ValueError, match=rf"was started from {weights}, whose content is another than that of {other}"):
        require_same_weights([replace(cell, weights=str(other))])


def test_a_report_tells_the_file_of_a_warm_row(two_cells: list[Cell], tmp_path: Path) -> None:
    weights = tmp_path / "an encoder.pth"
    weights.write_bytes(b"weights")
    cell = replace(two_cells[0], trainer="nnUNetTrainer_warm", weights=str(weights))
    note_weights(cell)
    told = provenance(cell.folder.parent, [cell.fold])
    digest = hashlib.sha256(b"weights").hexdigest()[:12]
    assert told["pretrained weights"] == f"an encoder.pth ({digest})"
    assert told["command"].endswith(f"-tr nnUNetTrainer_warm -p nnUNetPlans -pretrained_weights '{weights}'")
    (cell.folder / "skipx_weights.json").write_text("{")
    assert "pretrained weights" not in provenance(cell.folder.parent, [cell.fold])
