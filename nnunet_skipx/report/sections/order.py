"""The sections of a report in their order. A further one: its file here, and its function in `ORDER`."""

from collections.abc import Callable
from dataclasses import replace

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.sections.cases import dice_section, pairs_section, slices_section
from nnunet_skipx.report.sections.claims import claims_section, margin_section
from nnunet_skipx.report.sections.comparisons import contrast_section
from nnunet_skipx.report.sections.cost import cost_section
from nnunet_skipx.report.sections.covariates import covariate_section
from nnunet_skipx.report.sections.detection import detection_section
from nnunet_skipx.report.sections.families import families_section
from nnunet_skipx.report.sections.inspection import inspection_section
from nnunet_skipx.report.sections.methods import methods_section
from nnunet_skipx.report.sections.metrics import calibration_section, metric_section, size_section
from nnunet_skipx.report.sections.provenance import provenance_section, settings_section
from nnunet_skipx.report.sections.ranking import ranking_section
from nnunet_skipx.report.sections.result import result_section
from nnunet_skipx.report.sections.section import Section
from nnunet_skipx.report.sections.tails import tails_section, worst_section
from nnunet_skipx.report.sections.trainings import expert_section, fold_section, health_section, training_section

Builder = Callable[[Comparison], Section]
ORDER: tuple[Builder, ...] = (
    result_section,
    contrast_section,
    claims_section,
    margin_section,
    families_section,
    detection_section,
    size_section,
    metric_section,
    calibration_section,
    tails_section,
    worst_section,
    covariate_section,
    ranking_section,
    cost_section,
    fold_section,
    health_section,
    dice_section,
    pairs_section,
    slices_section,
    training_section,
    expert_section,
    inspection_section,
    methods_section,
    provenance_section,
    settings_section,
)
# A picture or more per row, hence of few rows only.
PICTURES: tuple[Builder, ...] = (
    dice_section,
    pairs_section,
    slices_section,
    training_section,
    expert_section,
    inspection_section,
)
MOST_ROWS_DRAWN = 10  # a page of more pictures nobody reads, or can mail


def sections(comparison: Comparison) -> list[Section]:
    """Every section that has something to show; where rows are missing, each heading says so."""
    drawn = with_drawn_rows_only(comparison)
    made = (_made(build, comparison, drawn) for build in ORDER)
    shown = [section.shortened(comparison.shortened) for section in made if section.is_shown]
    if comparison.incomplete:
        return [replace(section, heading=f"{section.heading} (incomplete)") for section in shown]
    return shown


def _made(build: Builder, comparison: Comparison, drawn: Comparison) -> Section:
    if build not in PICTURES or drawn is comparison:
        return build(comparison)
    section = build(drawn)
    told = f"Drawn are the baseline and the {MOST_ROWS_DRAWN - 1} rows of the best places."
    return replace(section, lead=" ".join(filter(None, [told, section.lead])))


def with_drawn_rows_only(comparison: Comparison) -> Comparison:
    """The baseline and the rows with the best places, as many as are drawn."""
    if len(comparison.rows) <= MOST_ROWS_DRAWN:
        return comparison
    best = comparison.ranking.table["mean_rank"].sort_values(kind="stable").index
    kept = [comparison.baseline, *(name for name in best if name != comparison.baseline)][:MOST_ROWS_DRAWN]
    rows = [row.name for row in comparison.rows if row.name in kept]
    return replace(
        comparison,
        table=comparison.table[comparison.table["row"].isin(rows)],
        logs={row: logs for row, logs in comparison.logs.items() if row in rows},
        inspections={row: found for row, found in comparison.inspections.items() if row in rows},
        model_folders={row: folder for row, folder in comparison.model_folders.items() if row in rows},
        named_among=[row.name for row in comparison.rows],
    )
