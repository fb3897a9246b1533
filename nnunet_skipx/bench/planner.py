"""`skipx bench --power`: which difference a comparison can show, before it is trained."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

from nnunet_skipx.bench.matrix import Matrix
from nnunet_skipx.bench.planned_study import PlannedStudy, planned_studies
from nnunet_skipx.results.find_models import find_models
from nnunet_skipx.results.study import read_study
from nnunet_skipx.statistics.power import Design, Scatter, detectable, drawn, margin_power
from nnunet_skipx.statistics.scatter import scatter_of
from nnunet_skipx.statistics.scores import row_scores
from nnunet_skipx.statistics.text import NONE, number
from nnunet_skipx.system.text_table import text_table

DEFAULT = Scatter(paired_sd=0.015, seed_sd=0.002)
ASSUMED = "an assumption, the middle of what docs/statistics.md simulates, not measured on these data"
REPLICATES = (1, 2, 3, 5)


@dataclass(frozen=True)
class Assumptions:
    """results: a folder of results to estimate from, None for defaults. paired_sd, seed_sd: what is given instead."""

    results: Path | None = None
    paired_sd: float | None = None
    seed_sd: float | None = None

    def __post_init__(self) -> None:
        for option, value in (("--paired-sd", self.paired_sd), ("--seed-sd", self.seed_sd)):
            if value is not None and not 0 < value < 1:
                raise ValueError(f"{option} {value:g} is no SD of Dice: give one such as {DEFAULT.paired_sd:g}")


def plan_power(matrix: Matrix, assumptions: Assumptions, margin: float | None = None) -> str:
    """A table for every data set of the matrix: folds x replicates, and the difference that they show.

    Raises as `planned_studies`, and where the folder of results is of no use.
    """
    return "\n\n".join(_told(study, matrix, assumptions, margin) for study in planned_studies(matrix))


def _told(study: PlannedStudy, matrix: Matrix, assumptions: Assumptions, margin: float | None) -> str:
    scatter, source = _scatter(study, matrix, assumptions)
    rows = [_line(study, design, matrix.replicates, scatter, margin) for design in _designs(study, matrix.replicates)]
    plural = "s" if study.comparisons > 1 else ""
    return (
        f"{study.dataset}: {len(study.rows)} rows, {study.comparisons} comparison{plural} (Holm), baseline "
        f"{study.baseline}\n\n{text_table(rows)}\n\n"
        "Shown: the difference in mean Dice that skipx report would call better or worse with 80 % power, however the "
        "other comparisons end. One trained network per row decides nothing. "
        "* is what this matrix trains.\n"
        f"Assumed: paired SD {scatter.paired_sd:.4f}, of which trainings draw {100 * scatter.of_training:.0f} % of the "
        f"variance anew; SD of trained networks {scatter.seed_sd:.4f} ({source})."
    )


def _designs(study: PlannedStudy, replicates: int) -> list[Design]:
    """The first fold, the first three and all, each with some replicates."""
    counts = sorted({1, min(3, len(study.sizes)), len(study.sizes)})
    return [
        Design(sum(study.sizes[:folds]), folds, number)
        for folds in counts
        for number in sorted({*REPLICATES, replicates})
    ]


def _line(
    study: PlannedStudy, design: Design, replicates: int, scatter: Scatter, margin: float | None
) -> dict[str, str]:
    found = drawn(design, scatter)
    shown = detectable(found, study.comparisons)
    own = design.folds == len(study.sizes) and design.replicates == replicates
    line = {
        "folds": str(design.folds),
        "cases": str(design.cases),
        "replicates": f"{design.replicates}{' *' if own else ''}",
        "trainings": str(design.folds * design.replicates * len(study.rows)),
        "shown": number(shown, ".4f"),
    }
    if margin is not None:
        power = math.nan if math.isnan(shown) else 100 * margin_power(found, margin, len(study.with_baseline))
        line[f"equal rows shown not worse by {margin:g}"] = NONE if math.isnan(power) else f"{power:.0f} %"
    return line


def _scatter(study: PlannedStudy, matrix: Matrix, assumptions: Assumptions) -> tuple[Scatter, str]:
    """What is assumed, and where it comes from."""
    scatter, source = DEFAULT, ASSUMED
    if assumptions.results is not None:
        scatter, source = _measured(study, matrix, assumptions.results)
    for option, name in (("--paired-sd", "paired_sd"), ("--seed-sd", "seed_sd")):
        if (given := getattr(assumptions, name)) is not None:
            scatter, source = replace(scatter, **{name: given}), f"{source}; {option} as given"
    return scatter, source


def _measured(study: PlannedStudy, matrix: Matrix, results: Path) -> tuple[Scatter, str]:
    """Of all models of this data set and these configurations that a folder of results has."""
    found = read_study(find_models(results, study.dataset, matrix.configurations, None, None), None, True)
    scores = row_scores(found.table)
    told = f"estimated from {len(scores)} rows and {found.table['case'].nunique()} cases in {results}"
    if all(len(rows.replicates) < 2 for rows in scores.values()):
        told += f"; without replicates there, what trainings draw anew and their SD are {ASSUMED}"
    return scatter_of(scores, DEFAULT), told
