"""The sections of a report in their order: a heading, how to read it, a table, pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from nnunet_skipx.report import tables
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.detection import detection_table
from nnunet_skipx.report.figures.cost import cost_panels
from nnunet_skipx.report.figures.dice import dice_panels
from nnunet_skipx.report.figures.inspection import inspection_panels
from nnunet_skipx.report.figures.pairs import difference_panels, slope_panels
from nnunet_skipx.report.figures.panel import Panel
from nnunet_skipx.report.figures.ranks import places_panel, significance_panel
from nnunet_skipx.report.figures.slices import slice_panels
from nnunet_skipx.report.figures.training import balance_panels, curve_panels, usage_panels
from nnunet_skipx.report.other_metrics import calibration_reading, metric_reading
from nnunet_skipx.statistics.bootstrap import RESAMPLES
from nnunet_skipx.statistics.estimate import FEWEST_CASES
from nnunet_skipx.statistics.scores import EmptyRule

EMPTY_RULES: dict[EmptyRule, str] = {
    "scored": "Between rows, where only some predict a class that the reference lacks, these count 0 and those that "
    "rightly predict nothing 1; where no row predicts it, the class is left out.",
    "left-out": "Between rows, a class that the reference lacks is left out even where some rows predict it.",
}
MOST_ROWS_DRAWN = 10  # a page of more pictures nobody reads, or can mail


@dataclass(frozen=True)
class Section:
    """One part of the page; a section without lines in its table and without pictures is not shown."""

    heading: str
    reading: str
    table: pd.DataFrame | None = None
    panels: Sequence[Panel] = ()

    @property
    def is_shown(self) -> bool:
        """Whether there is anything to see."""
        return bool(self.panels) or (self.table is not None and not self.table.empty)


def sections(comparison: Comparison) -> list[Section]:
    """Every section that has something to show; where rows are missing, each heading says so."""
    drawn = with_drawn_rows_only(comparison)
    pictures = [build(drawn) for build in PICTURES]
    if drawn is not comparison:
        told = f"Drawn are the baseline and the {MOST_ROWS_DRAWN - 1} rows of the best places. "
        pictures = [replace(section, reading=told + section.reading) for section in pictures]
    made = [*(build(comparison) for build in TABLES), *pictures, *(build(comparison) for build in LAST)]
    shown = [section for section in made if section.is_shown]
    if comparison.incomplete:
        return [replace(section, heading=f"{section.heading} (incomplete)") for section in shown]
    return shown


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
    )


def result_section(comparison: Comparison) -> Section:
    """Dice, and where a class was absent."""
    return Section(
        "Result",
        "Dice with its 95 % confidence interval. Mean: over the classes of a case, then over cases; SD: over cases; "
        "foreground_mean, where it differs: over cases, then over classes, as in nnU-Net's summaries. "
        "Intervals and tests are t laws of a mean over cases and trained networks, which are both a sample: with "
        "replicates the variance of training is estimated, without them the scatter between folds stands for it, and "
        f"the wider of the intervals over folds and over cases is shown; fewer than {FEWEST_CASES} cases have none. "
        f"Better, worse: the mean difference is not 0; equivalent: it is within {comparison.rope:g} Dice, and "
        '"but by less than matters" if both; undecided is not equal. ' + left_out(comparison),
        tables.result_table(comparison),
    )


def left_out(comparison: Comparison) -> str:
    """How a class that is absent was counted, and how often it was."""
    counts = [
        f"{row.name}, {label}: {interval.dropped}"
        for row in comparison.rows
        for label, interval in row.per_class.items()
        if interval.dropped
    ]
    if not counts:
        return comparison.convention
    told = f"Left out of means for that reason (cases): {'; '.join(counts)}."
    return f"{comparison.convention} {told} {EMPTY_RULES[comparison.empty]}"


def detection_section(comparison: Comparison) -> Section:
    """Who found what was there, and nothing where nothing was."""
    return Section(
        "Detection",
        "A structure is there, or found, where it has a voxel. Sensitivity: of the cases that have it, those where it "
        "was found; specificity: of the cases that lack it, those where nothing was. Each training counts.",
        None if comparison.presence is None else detection_table(comparison.presence),
    )


def contrast_section(comparison: Comparison) -> Section:
    """Each row against the baseline and its twins."""
    return Section(
        "Comparisons",
        "Of the mean Dice over classes, case by case. A twin has as many parameters (a flopstwin: as many operations) "
        "as its row, but not what is named beside it: the comparison with it tells that from the capacity. Cost of the "
        "twin: divided by its row's. t-test: that the mean difference is 0; two one-sided t-tests: that it is not "
        f"within {comparison.rope:g}; both of the law that the interval is of, and adjusted for all comparisons of "
        "this data set (Holm). Detectable: the difference that the t-test finds with 80 % power after adjustment, "
        "given this many cases and this scatter.",
        tables.contrast_table(comparison),
    )


def size_section(comparison: Comparison) -> Section:
    """Dice of small and of large structures."""
    return Section(
        "By size",
        "Dice of the structures (a class of a case) that the reference has, in thirds by their size within each class; "
        "the range is over all classes. Mean: over the classes of a case in that third, then over cases; differences "
        "and verdicts as above, adjusted over all rows and thirds (Holm). A wrong voxel costs a small structure more "
        "Dice than a large one.",
        tables.size_table(comparison),
    )


def metric_section(comparison: Comparison) -> Section:
    """Metrics other than Dice."""
    return Section("Other metrics", metric_reading(comparison), tables.metric_table(comparison))


def calibration_section(comparison: Comparison) -> Section:
    """Whether probabilities can be believed."""
    return Section("Calibration", calibration_reading(comparison), tables.calibration_table(comparison))


def ranking_section(comparison: Comparison) -> Section:
    """Places and which rows differ."""
    found = comparison.ranking
    if len(comparison.rows) < 3 or found.n < FEWEST_CASES:
        return Section("Ranking", "")
    return Section(
        "Ranking",
        f"Rows are ranked in each of {found.n} cases ({found.dropped} without a value of every row are left out), then "
        f"the ranks are averaged (1 is best). The interval, and the share of {RESAMPLES:,} resamples of the cases "
        "within their folds that give the same place, cover the choice of cases, not the randomness of training. The "
        "matrix holds the verdict of every pair: that of the table above where it has one, else of the same test, "
        "adjusted over all other pairs (Holm); empty is undecided or equivalent.",
        tables.ranking_table(comparison),
        [
            places_panel(found.places.loc[found.table.sort_values("mean_rank").index]),
            significance_panel(comparison.significance.sign),
        ],
    )


def cost_section(comparison: Comparison) -> Section:
    """What the rows cost."""
    return Section(
        "Cost",
        "GFLOPs: one forward pass of one patch of the plan; a multiply-add counts two; convolutions, matrix products "
        "and attention only. Seconds per epoch: median over epochs and folds; hours per fold: all its epochs; seconds "
        "per case: predicting the validation cases; all on the machines that trained, from nnU-Net's logs. Memory: "
        "peak of a step on the machine of skipx profile, where its JSON was given with --profile.",
        tables.cost_table(comparison) if comparison.costs else None,
        cost_panels(comparison.rows, comparison.costs),
    )


def fold_section(comparison: Comparison) -> Section:
    """Means of folds and replicates."""
    return Section(
        "Folds and replicates",
        "Mean Dice. Folds share training cases, which no test here can undo. Replicates are the same cells trained "
        "again. SD of trained networks: of one network's mean Dice on its fold, beyond what its cases explain; ICC: "
        "its variance as a share of that of all values in a fold. Everywhere else a case counts with its mean over "
        "replicates.",
        tables.fold_table(comparison),
    )


def dice_section(comparison: Comparison) -> Section:
    """Box plots."""
    reading = (
        "A point is a case, the box holds the middle half of the cases, the line in it is the median, a diamond is the "
        "mean of a fold."
    )
    return Section("Dice per case", reading, panels=dice_panels(comparison.table))


def pairs_section(comparison: Comparison) -> Section:
    """Slopes and differences."""
    reading = (
        "Mean Dice over classes of every case in both rows: first a line per case, blue where the row is at least as "
        "good; then its difference over its mean (dashed: limits of agreement, mean ± 1.96 SD)."
    )
    pairs = [(comparison.pair_means(contrast), [contrast]) for contrast in comparison.contrasts]
    panels = [panel for draw in (slope_panels, difference_panels) for pair in pairs for panel in draw(*pair)]
    return Section("Case by case", reading, panels=panels)


def slices_section(comparison: Comparison) -> Section:
    """Median and worst cases."""
    if comparison.images_folder is None or comparison.labels_folder is None:
        return Section("Slices", "")
    panels, remarks = slice_panels(
        comparison.table,
        comparison.model_folders,
        comparison.images_folder,
        comparison.labels_folder,
        comparison.dataset_json,
    )
    reading = " ".join(["The slice with the most labelled voxels.", *remarks])
    return Section("Slices", reading, panels=panels)


def health_section(comparison: Comparison) -> Section:
    """Whether the trainings went well."""
    return Section(
        "Training health",
        "Over all folds. Skipped steps: those that the gradient scaler of half precision left out; – where the trainer "
        "logs none, as nnU-Net's own.",
        tables.health_table(comparison),
    )


def training_section(comparison: Comparison) -> Section:
    """Curves."""
    reading = "One colour per fold. The pseudo Dice is measured on random patches; the tables above are not."
    return Section("Training", reading, panels=curve_panels(comparison.logs))


def expert_section(comparison: Comparison) -> Section:
    """Usage and balance of experts."""
    return Section(
        "Expert usage",
        "How the gates shared their input among the experts. Each fold has experts of its own.",
        panels=[*usage_panels(comparison.logs), *balance_panels(comparison.logs)],
    )


def inspection_section(comparison: Comparison) -> Section:
    """What `skipx inspect` found."""
    return Section(
        "What the skips did",
        "Mean Dice that the trained network loses when one skip is set to zero or replaced by another validation "
        "case's, with its 95 % CI over cases, at the plan's spacing and without retraining: what this network relies "
        "on, not what a network needs. Another case's skip looks like any other but shows the wrong image. Routing: "
        "weight of each expert per case. Attention: how a stage's tokens share theirs among the stages.",
        panels=inspection_panels(comparison.inspections),
    )


def provenance_section(comparison: Comparison) -> Section:
    """Settings and versions per row."""
    return Section(
        "Provenance",
        "As nnU-Net noted it in debug.json of the first fold. nnU-Net seeds neither weights nor batches, so its "
        "trainings cannot be repeated exactly. Plans: beginning of the SHA-256 of plans.json.",
        tables.provenance_table(comparison),
    )


def settings_section(comparison: Comparison) -> Section:
    """What holds for all rows."""
    commands = {f"command of {row}": facts["command"] for row, facts in comparison.provenance.items()}
    lines = [{"Setting": name, "Value": value} for name, value in (comparison.settings | commands).items()]
    return Section("Settings and commands", "", pd.DataFrame(lines))


TABLES: tuple[Callable[[Comparison], Section], ...] = (
    result_section,
    contrast_section,
    detection_section,
    size_section,
    metric_section,
    calibration_section,
    ranking_section,
    cost_section,
    fold_section,
    health_section,
)
PICTURES: tuple[Callable[[Comparison], Section], ...] = (
    dice_section,
    pairs_section,
    slices_section,
    training_section,
    expert_section,
    inspection_section,
)
LAST: tuple[Callable[[Comparison], Section], ...] = (provenance_section, settings_section)
