"""What `skipx inspect` found in a model folder, as tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nnunet_skipx.statistics.means import Interval, mean_interval
from nnunet_skipx.system.json_files import either, integer, list_of, name, null, number, object_of, read_json, record

FILE_NAME = "skipx_inspect.json"
KINDS = ("zeroed", "other")  # what a skip was replaced by: 0, or another case's
DICE = either(null, number(0, 1))
MATRIX = list_of(list_of(number(-1e30, 1e30)))
FOUND = record(
    {
        "cases": object_of(
            record({"intact": DICE, **dict.fromkeys(KINDS, either(null, list_of(DICE)))}), keys=name, fewest=1
        ),
        "routing": object_of(MATRIX),
        "attention": object_of(MATRIX),
        "gates": object_of(record({"spread": either(null, number(0, 1e30))})),
        "pairs": list_of(integer(0, 10**6)),
    }
)


@dataclass(frozen=True)
class Inspection:
    """Tidy tables over the inspected folds; a table without rows where the network has nothing of the kind.

    intact: fold, case, dice: mean over classes of the whole network, NaN where a case has none of them.
    losses: fold, case, skip (0 = full resolution), kind (of `KINDS`), lost: by how much Dice fell, NaN as above. A fold
        of a single case has no rows of kind "other".
    routing: fold, case, gate, expert, weight: mean over the case's patches; a gate's weights sum to 1.
    attention: stage, attended, share: of the attention of one stage's tokens what goes to those of another, mean over
        layers and folds; the shares of a stage sum to 1.
    gates: fold, gate (name of its module), spread: SD between the cases of what it chose by the image, mean over its
        numbers, NaN in a fold of a single case.
    pairs: fold, gate, pairs: how many different sets of experts (in UTANet pairs) the gate chose.
    """

    intact: pd.DataFrame
    losses: pd.DataFrame
    routing: pd.DataFrame
    attention: pd.DataFrame
    gates: pd.DataFrame
    pairs: pd.DataFrame

    def loss(self, kind: str, skip: int) -> Interval:
        """Mean Dice lost with that skip replaced so, over the cases of all folds."""
        rows = self.losses[(self.losses["kind"] == kind) & (self.losses["skip"] == skip)]
        return mean_interval(rows.set_index(["fold", "case"])["lost"])


def inspection_file(model_folder: Path, fold: int) -> Path:
    """Where `skipx inspect` writes what it found in a fold."""
    return model_folder / f"fold_{fold}" / FILE_NAME


def read_inspection(model_folder: Path, folds: Sequence[int]) -> Inspection | None:
    """What was found in those folds that have been inspected; None where none has.

    Raises:
        ValueError: a file that `skipx inspect` has not written.
    """
    paths = {fold: inspection_file(model_folder, fold) for fold in folds}
    parts = [read_fold(fold, path) for fold, path in paths.items() if path.is_file()]
    if not parts:
        return None
    tables = {name: pd.concat([getattr(part, name) for part in parts], ignore_index=True) for name in vars(parts[0])}
    tables["attention"] = tables["attention"].groupby(["stage", "attended"], as_index=False)["share"].mean()
    return Inspection(**tables)


def read_fold(fold: int, path: Path) -> Inspection:
    """The tables of one fold, with the attention of every layer; ValueError as `read_inspection`."""
    content = read_json(path, FOUND, "inspect this fold again")
    cases = content["cases"].items()
    intact = [(fold, case, dice["intact"]) for case, dice in cases]
    losses = [row for case, dice in cases for row in loss_rows(fold, case, dice)]
    routing = [
        (fold, case, gate, expert, weight)
        for case, gates in content["routing"].items()
        for gate, expert, weight in entries(gates)
    ]
    attention = [cell for shares in content["attention"].values() for cell in entries(shares)]
    gates = [(fold, name, found["spread"]) for name, found in content["gates"].items()]
    pairs = [(fold, gate, number) for gate, number in enumerate(content["pairs"])]
    return Inspection(
        table(intact, "fold", "case", "dice"),
        table(losses, "fold", "case", "skip", "kind", "lost"),
        table(routing, "fold", "case", "gate", "expert", "weight"),
        table(attention, "stage", "attended", "share"),
        table(gates, "fold", "gate", "spread"),
        table(pairs, "fold", "gate", "pairs").astype({"pairs": int}),
    )


def loss_rows(fold: int, case: str, dice: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Per kind and skip what is lost; null, the Dice of a case without any class, makes null, and no kind no rows."""
    intact = dice["intact"]
    return [
        (fold, case, skip, kind, None if intact is None or cut is None else intact - cut)
        for kind in KINDS
        for skip, cut in enumerate(dice[kind] or ())
    ]


def entries(matrix: Sequence[Sequence[float]]) -> list[tuple[int, int, float]]:
    """(row, column, value) of a matrix."""
    return [(i, j, value) for i, row in enumerate(matrix) for j, value in enumerate(row)]


def table(rows: Sequence[tuple[Any, ...]], *columns: str) -> pd.DataFrame:
    """Rows as a table whose last column holds numbers, null as NaN."""
    return pd.DataFrame(rows, columns=list(columns)).astype({columns[-1]: float})
