"""Make docs/gallery.md: reports of made-up studies, a picture and the verdicts of each: `python -m benchmarks.gallery`.

Needs Chromium. `--only NAME ...` draws some of them again; the page's text is then that of these studies, too.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.browser import photograph
from benchmarks.made_up import MadeUpRow, MadeUpStudy, make_study
from benchmarks.tables import replace_block
from nnunet_skipx.discovery import append_to_environment
from nnunet_skipx.report.command import ReportOptions, report

DOCS = Path(__file__).parents[1] / "docs"
WIDTH, COLOURS = 1400, 64  # narrower windows show cards
BASELINE = MadeUpRow("nnUNetTrainer", 1.50, 0.00, 62.0)


@dataclass(frozen=True)
class Exhibit:
    """A report in the gallery. text: what to look at. height: of its picture, in pixels."""

    name: str
    text: str
    studies: Sequence[MadeUpStudy]
    height: int


EXHIBITS = (
    Exhibit(
        "clear",
        "The trainer is ahead by far more than `--rope`, in nearly every case, and ahead of its "
        "twin, too: what it gains is the mechanism's, not its size's.",
        [
            MadeUpStudy(
                (
                    BASELINE,
                    MadeUpRow("nnUNetTrainerUTANet", 1.10, 0.20, 88.0),
                    MadeUpRow("nnUNetTrainerUTANet_twin", 1.49, 0.05, 86.0),
                ),
                "Dataset991_MadeUpClear",
                cases=60,
            )
        ],
        680,
    ),
    Exhibit(
        "undecided",
        "One trainer is ahead and one behind, both `undecided`, and the sentences say how large a difference these "
        "cases could have shown. That is no sign that rows are equal: what helps is more cases, or replicates.",
        [
            MadeUpStudy(
                (
                    BASELINE,
                    MadeUpRow("nnUNetTrainerXUNet", 1.46, 0.45, 95.0),
                    MadeUpRow("nnUNetTrainerMSAUNet", 1.52, 0.35, 90.0),
                ),
                "Dataset992_MadeUpUndecided",
                cases=15,
                replicates=1,
            )
        ],
        640,
    ),
    Exhibit(
        "empty",
        "In a third of the cases the second class is not there, and one row predicts it in many of these: 0 for the "
        "row that invents it, 1 for the one that does not. Where such structures alone would decide, the verdict is "
        "`undecided`, and the sentence has the difference by the other rule (`--empty`), too.",
        [
            MadeUpStudy(
                (
                    BASELINE,
                    MadeUpRow("nnUNetTrainerUDTransNet", 1.40, 0.15, 120.0, invents=0.5),
                    MadeUpRow("nnUNetTrainerU2Net", 1.62, 0.20, 71.0),
                ),
                "Dataset993_MadeUpEmpty",
                cases=45,
                lacking=1 / 3,
            )
        ],
        560,
    ),
    Exhibit(
        "several",
        "Two data sets on one page, which begins with their verdicts side by side, the consensus of their rankings, "
        "and a model over both. Each then has a part of its own.",
        [
            MadeUpStudy(
                (
                    BASELINE,
                    MadeUpRow("nnUNetTrainerUTANet", 1.30 + 0.1 * seed, 0.20, 88.0),
                    MadeUpRow("nnUNetTrainerXUNet", 1.49 - 0.12 * seed, 0.25, 95.0),
                ),
                f"Dataset99{4 + seed}_MadeUp{'AB'[seed]}",
                cases=40,
                seed=10 * seed,
            )
            for seed in range(2)
        ],
        830,
    ),
)


def main() -> None:
    """Make every report, its picture and the page's block."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[exhibit.name for exhibit in EXHIBITS], help="these pictures")
    only = parser.parse_args().only
    append_to_environment()  # our trainers, whose networks are counted
    parts = []
    for exhibit in EXHIBITS:
        with tempfile.TemporaryDirectory() as name:
            page = make_report(Path(name), exhibit)
            if not only or exhibit.name in only:
                photograph(page, picture_of(exhibit), (WIDTH, exhibit.height), COLOURS)
            parts.append(part(exhibit, page.with_name("report.json")))
    replace_block(DOCS / "gallery.md", "gallery", "\n\n".join(parts))


def make_report(root: Path, exhibit: Exhibit) -> Path:
    """The studies in `root`, and the page of their report."""
    folders = [make_study(root, study) for study in exhibit.studies]
    ids = " ".join(study.dataset[7:10] for study in exhibit.studies)
    report(folders, None, root / "report", ReportOptions(command=f"skipx report -d {ids}"))
    return root / "report" / "report.html"


def picture_of(exhibit: Exhibit) -> Path:
    """Where its picture lies."""
    return DOCS / "images" / f"gallery_{exhibit.name}.png"


def part(exhibit: Exhibit, numbers: Path) -> str:
    """Its part of the page: what to look at, the picture, and the verdicts of the report."""
    comparisons = json.loads(numbers.read_text())["comparisons"]
    titles = ", ".join(comparison["dataset"] for comparison in comparisons)
    about = {c["dataset"]: f"{c['dataset']}: " if len(comparisons) > 1 else "" for c in comparisons}
    sentences = [f"* {about[c['dataset']]}{text}" for c in comparisons for text in c["sentences"]]
    image = f"![First screen of the report on {titles}](images/{picture_of(exhibit).name})"
    sizes = ", ".join(f"{study.cases} cases" for study in exhibit.studies)
    replicates = exhibit.studies[0].replicates
    trained = f"{sizes}; every cell trained {'once' if replicates == 1 else f'{replicates} times'}."
    return "\n\n".join([f"## {titles}", f"{trained} {exhibit.text}", image, "\n".join(sentences)])


if __name__ == "__main__":
    main()
