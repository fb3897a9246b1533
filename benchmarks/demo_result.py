"""Write what a finished `skipx demo` prints into docs/first_hour.md: `python -m benchmarks.demo_result DEMO_FOLDER`."""

import argparse
import re
from pathlib import Path

from benchmarks.tables import replace_block
from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.demo.prepare import PLANS
from nnunet_skipx.demo.run import demo_comparison
from nnunet_skipx.demo.workspace import Workspace
from nnunet_skipx.report.page import terminal_text
from nnunet_skipx.system.machine import describe_machine

PAGE = Path(__file__).parents[1] / "docs" / "first_hour.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    workspace = Workspace(parser.parse_args().folder)
    workspace.create()
    dataset, cells = finished_cells(workspace)
    table = terminal_text([demo_comparison(workspace, dataset, cells)])
    replace_block(PAGE, "demo", f"```text\n{table}\n```\n\nMachine: {describe_machine()}.")


def finished_cells(workspace: Workspace) -> tuple[str, list[Cell]]:
    """The data set and the cells that lie in a demo's results; the baseline first."""
    cells, dataset = [], ""
    for summary in sorted(workspace.results.glob(f"*/*__{PLANS}__*/fold_*/validation/summary.json")):
        dataset, model, fold = summary.parts[-5], summary.parts[-4], summary.parts[-3]
        trainer, _, configuration = model.split("__")
        number = int(re.sub(r"\D", "", fold))
        cells.append(Cell(workspace.results, dataset, configuration, number, trainer, PLANS))
    return dataset, sorted(cells, key=lambda cell: (cell.trainer != "nnUNetTrainer_demo", cell.trainer, cell.fold))


if __name__ == "__main__":
    main()
