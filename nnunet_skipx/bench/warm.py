"""Trainings that start from a file of weights: all of a row from the same one."""

from collections.abc import Iterable
from pathlib import Path

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.nnunet.checkpoints import resumed_from
from nnunet_skipx.results.provenance import START, STARTED_FROM
from nnunet_skipx.system.files import sha256_of, write_json
from nnunet_skipx.system.json_files import read_json


def note_weights(cell: Cell) -> None:
    """Write down from which file a fold starts; OSError where that cannot be."""
    cell.folder.mkdir(parents=True, exist_ok=True)
    content = {"file": cell.weights, "sha256": sha256_of(Path(cell.weights))}
    write_json(cell.folder / STARTED_FROM, content)


def require_same_weights(cells: Iterable[Cell]) -> None:
    """Raise ValueError where a fold has been started from another file than the one that is given now."""
    begun = [cell for cell in cells if cell.weights and resumed_from(cell.folder) is not None]
    noted = [cell for cell in begun if (cell.folder / STARTED_FROM).is_file()]
    given = {weights: sha256_of(Path(weights)) for weights in {cell.weights for cell in noted}}
    for cell in noted:
        started = read_json(cell.folder / STARTED_FROM, START)
        if started["sha256"] != given[cell.weights]:
            raise ValueError(
                f"{cell} was started from {started['file']}, whose content is another than that of {cell.weights}: "
                f"give that file, or move {cell.folder} away and train the row anew"
            )
