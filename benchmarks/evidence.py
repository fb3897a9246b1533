"""Trainers on real data: `python -m benchmarks.evidence FOLDER TASK` trains what is missing (hours).

The trainers of the five sources with their twins, three times each; with `--all` every trainer, without twins, once.
Goes on where it was. `python -m benchmarks.evidence_page FOLDER` makes pages of what has finished.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from nnunet_skipx.cli.main import main as skipx
from nnunet_skipx.demo.prepare import PLANS, prepare
from nnunet_skipx.demo.workspace import Workspace
from nnunet_skipx.training.rows import beside_baseline

FIVE = ("UTANet", "XUNet", "UDTransNet", "MSAUNet", "U2Net")


@dataclass(frozen=True)
class StudyOfRows:
    """Rows that stand on one page of docs/results, each trained so many times; option: of this script."""

    page: str
    rows: tuple[str, ...]
    replicates: int
    option: str = ""


def studies() -> tuple[StudyOfRows, StudyOfRows]:
    """The five sources beside their twins, and every trainer of one data set."""
    words = [f"{name}_demo" for name in FIVE]
    twins = [f"{name}_twin_demo" for name in FIVE]
    return (
        StudyOfRows("hippocampus", tuple(beside_baseline([*words, *twins])), 3),
        StudyOfRows("hippocampus_all", tuple(beside_baseline(["all_demo"])), 1, " --all"),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("task", type=Path, help="an MSD task folder, for example Task04_Hippocampus")
    parser.add_argument("--jobs", default="2", help="trainings side by side")
    parser.add_argument("--all", action="store_true", help="every trainer once, instead of five with twins three times")
    arguments = parser.parse_args()
    workspace = Workspace(arguments.folder.resolve())
    workspace.create()
    dataset, configuration = prepare(workspace, arguments.task)
    study = studies()[arguments.all]
    matrix = ["-d", dataset, "-c", configuration, "-p", PLANS, "-tr", *study.rows]
    return skipx(["bench", *matrix, "--replicates", str(study.replicates), "-device", "cpu", "--jobs", arguments.jobs])


if __name__ == "__main__":
    raise SystemExit(main())
