"""Trainers and twins on real data: `python -m benchmarks.evidence FOLDER TASK` trains what is missing (hours).

Goes on where it was. `skipx report` and `python -m benchmarks.evidence_page FOLDER` read what has finished.
"""

import argparse
from pathlib import Path

from nnunet_skipx.cli.main import main as skipx
from nnunet_skipx.demo.prepare import PLANS, prepare
from nnunet_skipx.demo.workspace import Workspace
from nnunet_skipx.training.rows import beside_baseline

REPLICATES = 3
WORDS = ("all_demo", "all_twin_demo")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("task", type=Path, help="an MSD task folder, for example Task04_Hippocampus")
    parser.add_argument("--jobs", default="2", help="trainings side by side")
    arguments = parser.parse_args()
    workspace = Workspace(arguments.folder.resolve())
    workspace.create()
    dataset, configuration = prepare(workspace, arguments.task)
    matrix = ["-d", dataset, "-c", configuration, "-p", PLANS, "--architectures", *WORDS]
    options = ["--replicates", str(REPLICATES), "-device", "cpu", "--jobs", arguments.jobs]
    return skipx(["bench", *matrix, *options])


def rows() -> list[str]:
    """The baseline, every trainer of one data set, and their compute-matched twins."""
    return beside_baseline(WORDS)


if __name__ == "__main__":
    raise SystemExit(main())
