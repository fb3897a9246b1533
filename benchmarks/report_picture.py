"""Draw docs/images/report.png, the first screen of a report: `python -m benchmarks.report_picture`.

The study is made up and says so: five rows that differ by what is written in `STUDY`. Needs Chromium. With `--keep
FOLDER` the study and its report stay there. More of the kind: `python -m benchmarks.gallery`.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.browser import photograph
from benchmarks.made_up import MadeUpRow, MadeUpStudy, make_study
from nnunet_skipx.discovery import append_to_environment
from nnunet_skipx.report.command import ReportOptions, report

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "report.png"
WINDOW = (1400, 930)  # the first screen
STUDY = MadeUpStudy(
    (
        MadeUpRow("nnUNetTrainer", 1.50, 0.00, 62.0),
        MadeUpRow("nnUNetTrainerUTANet", 1.32, 0.22, 88.0),
        MadeUpRow("nnUNetTrainerUTANet_twin", 1.49, 0.04, 86.0),
        MadeUpRow("nnUNetTrainerXUNet", 1.46, 0.30, 95.0),
        MadeUpRow("nnUNetTrainerU2Net", 1.70, 0.22, 71.0),
    ),
    epochs=100,  # a test run, so that nobody takes the picture for a result, and the caution is in it
)


def main() -> None:
    """Make the study, its report and the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="a new folder for the study and its report")
    keep = parser.parse_args().keep
    append_to_environment()  # our trainers, whose networks are counted
    with tempfile.TemporaryDirectory() as name:
        photograph(make_report(keep or Path(name)), PICTURE, WINDOW)


def make_report(root: Path) -> Path:
    """The study in `root`, and its page."""
    folders, data = make_study(root, STUDY), root / STUDY.dataset
    options = ReportOptions(images=data / "imagesTr", references=data / "labelsTr", command="skipx report -d 999")
    report([folders], None, root / "report", options)
    return root / "report" / "report.html"


if __name__ == "__main__":
    main()
