"""The notebook runs as it stands, and is kept without what it printed."""

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.docs.pages import ROOT

PATH = ROOT / "docs" / "first_look.ipynb"


def code_cells() -> Any:
    return [cell for cell in nbformat.read(PATH, as_version=4).cells if cell.cell_type == "code"]


def test_it_is_kept_without_outputs() -> None:
    assert len(code_cells()) >= 4
    assert not any(cell.outputs or cell.execution_count for cell in code_cells())


@pytest.mark.slow
def test_it_runs_and_shows_what_it_promises(tmp_path: Path) -> None:
    notebook = nbformat.read(PATH, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "TMPDIR": str(tmp_path)}
    NotebookClient(notebook, timeout=300, resources=resources).execute(env=environment)
    build, profile, rows, contrasts = (
        "".join(str(output.get("text") or output.get("data", {}).get("text/plain", "")) for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    )
    assert build.startswith("(2, 2, 70, 61) ")
    assert "XUNet" in profile and "Sequential" in profile
    assert "nnUNetTrainerUTANet" in rows
    assert "nnUNetTrainer" in contrasts and "verdict" in contrasts
