"""Write docs/results/ from what `benchmarks.evidence` has trained: `python -m benchmarks.evidence_page FOLDER`.

Needs Chromium for the picture. Folds that a row lacks are left out for all rows, and the page says so.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.evidence import REPLICATES, rows
from benchmarks.report_picture import COLOURS, browse
from nnunet_skipx.cli.main import main as skipx
from nnunet_skipx.demo.prepare import PLANS
from nnunet_skipx.demo.workspace import Workspace
from nnunet_skipx.statistics.text import number
from nnunet_skipx.system.machine import describe_machine

PAGES = Path(__file__).parents[1] / "docs" / "results"
WINDOW = (1400, 1500)
HEAD = """# Trainers and twins on 40 cases of the hippocampus

All trainers of one data set and their twins, {replicates} replicates, MSD Task04 (40 labelled cases), the schedule of
`skipx demo`: 5 epochs of 40 iterations of a network of a quarter of the planned width. `python -m benchmarks.evidence
FOLDER Task04_Hippocampus` trained them, `python -m benchmarks.evidence_page FOLDER` wrote this page.
Machine: {machine}.

**What it shows**: that the comparison runs, what its report looks like on real data, and how much of a difference is
the luck of a training. **What it does not show**: which network is better. After five epochs no network has learned
what it can, and learning rates of UDTransNet and U2Net were chosen on these cases.

![The first screen of the report](hippocampus.png)

## The noise of training
SD of the mean Dice between networks that were trained again on the same cases, and their share in the variance of a
case's value (ICC).

{noise}

## Verdicts
{report}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    workspace = Workspace(parser.parse_args().folder.resolve())
    workspace.create()
    (dataset,) = [path.name for path in workspace.results.glob("Dataset*")]
    PAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "report"
        status = skipx(["report", "-d", dataset, "-p", PLANS, "-tr", *rows(), "--allow-missing", "-o", str(out)])
        if status:
            return status
        picture(out / "report.html", Path(name) / "screen.png")
        shutil.copy(out / "report.json", PAGES / "hippocampus.json")
        shutil.copy(out / "cases.csv", PAGES / "hippocampus_cases.csv")
        content = json.loads((out / "report.json").read_text())["comparisons"][0]
        text = HEAD.format(
            replicates=REPLICATES,
            machine=describe_machine(),
            noise=noise_table(content["rows"]),
            report=(out / "report.md").read_text().replace("\n# ", "\n### ").replace("\n## ", "\n### "),
        )
    (PAGES / "hippocampus.md").write_text(text)
    return 0


def picture(page: Path, screen: Path) -> None:
    """The page's first screen as hippocampus.png."""
    browse(page, f"--screenshot={screen}", f"--window-size={WINDOW[0]},{WINDOW[1]}")
    image = Image.open(screen).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(PAGES / "hippocampus.png", optimize=True)


def noise_table(found: list[dict[str, Any]]) -> str:
    """SD and ICC of each row's trained networks."""
    lines = ["| row | SD of trained networks | ICC |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {row['name']} | {sd(row['training_sd'])} | {sd(row['icc'])} |" for row in found)])


def sd(value: float | None) -> str:
    return number(float("nan") if value is None else value, ".4f")


if __name__ == "__main__":
    raise SystemExit(main())
