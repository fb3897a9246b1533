"""Write docs/results/ from what `benchmarks.evidence` has trained: `python -m benchmarks.evidence_page FOLDER`.

Needs Chromium for the picture. Folds that a row lacks are left out for all rows, and the page says so.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.browser import photograph
from benchmarks.evidence import StudyOfRows, studies
from nnunet_skipx.cli.main import main as skipx
from nnunet_skipx.demo.prepare import PLANS
from nnunet_skipx.demo.workspace import Workspace
from nnunet_skipx.report.training_tables import noise_text
from nnunet_skipx.system.machine import describe_machine

PAGES = Path(__file__).parents[1] / "docs" / "results"
WINDOW = (1400, 1500)
LIMITS = """**What it shows**: that the comparison runs, and what its report looks like on real
data{luck}. **What it does not show**: which network is better. After five epochs of 40
iterations, with a quarter of the planned widths, no network has learned what it can; the learning rates of UDTransNet
and U2Net were chosen on these cases. Seconds per epoch were taken beside other work, and compare nothing."""
LUCK = """, and how much of a difference is the luck of a training. [Trained once](hippocampus_all.md), UDTransNet
was worse than nnU-Net by 0.053 (p = 0.002); of its fifteen networks here one learned nothing of a class, and the
difference is undecided, as it is for U2Net. Rows that train well scatter by 0.005 and less from training to training:
three replicates on five folds could have shown a difference of 0.011 to 0.012"""
OF_TWINS = """ U2Net's twin has two channels at full resolution at this width, and hardly learns: its row says that its
budget is small, not that separable convolutions help."""
NOISE = """## The noise of training
SD of the mean Dice between networks that were trained again on the same cases, and their share in the variance of a
case's value (ICC); 0 where they differ no more than the cases let expect.

{noise}

"""
HEADS = {
    "hippocampus": "Trainers and twins on 40 cases of the hippocampus",
    "hippocampus_all": "Every trainer on 40 cases of the hippocampus",
}
PAGE = """# {title}

{rows} rows, {replicates}, MSD Task04 (40 labelled cases of `Task04_Hippocampus`), five folds, the schedule of
`skipx demo`. `python -m benchmarks.evidence FOLDER Task04_Hippocampus{option}` trained them,
`python -m benchmarks.evidence_page FOLDER` wrote this page. Machine: {machine}.

{limits}

![The first screen of the report]({page}.png)

{noise}## The report
`python -m benchmarks.evidence_page FOLDER`, {machine}; all numbers: [{page}.json]({page}.json),
[{page}_cases.csv]({page}_cases.csv).

{report}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    workspace = Workspace(parser.parse_args().folder.resolve())
    workspace.create()
    PAGES.mkdir(exist_ok=True)
    return max(write_page(study, workspace) for study in studies() if begun(study, workspace))


def begun(study: StudyOfRows, workspace: Workspace) -> bool:
    """Whether every row has results."""
    found = {path.name.partition("__")[0] for path in workspace.results.glob("Dataset*/*__*")}
    if missing := set(study.rows) - found:
        print(f"{study.page}: nothing yet of {', '.join(sorted(missing))}")
    return not missing


def write_page(study: StudyOfRows, workspace: Workspace) -> int:
    """The page of a study with its picture and numbers; returns the report's exit status."""
    (dataset,) = [path.name for path in workspace.results.glob("Dataset*")]
    with tempfile.TemporaryDirectory() as name:
        out, results = Path(name) / "report", workspace.results
        if study.replicates == 1:  # of rows that another study has trained again, the first training alone
            results = Path(name) / "once"
            results.mkdir()
            (results / dataset).symlink_to(workspace.results / dataset)
        rows_asked = ["-d", dataset, "-p", PLANS, "-tr", *study.rows, "--results", str(results)]
        status = skipx(["report", *rows_asked, "--allow-missing", "-o", str(out)])
        if status:
            return status
        photograph(out / "report.html", PAGES / f"{study.page}.png", WINDOW)
        told = (out / "report.json").read_text().replace(str(results), "RESULTS").replace(str(out), "REPORT")
        (PAGES / f"{study.page}.json").write_text(told)
        shutil.copy(out / "cases.csv", PAGES / f"{study.page}_cases.csv")
        rows = json.loads((out / "report.json").read_text())["comparisons"][0]["rows"]
        text = PAGE.format(
            title=HEADS[study.page],
            page=study.page,
            rows=len(study.rows),
            replicates=f"{study.replicates} replicates" if study.replicates > 1 else "trained once",
            machine=describe_machine(),
            option=study.option,
            limits=LIMITS.format(luck=LUCK if study.replicates > 1 else "")
            + OF_TWINS * any("_twin" in row for row in study.rows),
            noise=NOISE.format(noise=noise_table(rows)) if study.replicates > 1 else "",
            report=(out / "report.md").read_text(),
        )
    (PAGES / f"{study.page}.md").write_text(text)
    return 0


def noise_table(found: list[dict[str, Any]]) -> str:
    """SD and ICC of each row's trained networks."""
    lines = ["| row | SD of trained networks | ICC |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {row['name']} | {sd(row['training_sd'])} | {sd(row['icc'])} |" for row in found)])


def sd(value: float | None) -> str:
    return noise_text(float("nan") if value is None else value, ".4f")


if __name__ == "__main__":
    raise SystemExit(main())
