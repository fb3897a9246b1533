"""Case by case: boxes, pairs, slices."""

from dataclasses import replace

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.figures.dice import dice_panels
from nnunet_skipx.report.figures.pairs import difference_panels, slope_panels
from nnunet_skipx.report.figures.slices import slice_panels
from nnunet_skipx.report.sections.section import Section


def dice_section(comparison: Comparison) -> Section:
    """Box plots."""
    reading = (
        "A point is a case, the box holds the middle half of the cases, the line in it is the median, a diamond is the "
        f"mean of {'the test set' if comparison.ensemble else 'a fold'}."
    )
    table = comparison.table.assign(row=comparison.table["row"].map(comparison.short))
    return Section("Dice per case", reading, panels=dice_panels(table))


def pairs_section(comparison: Comparison) -> Section:
    """Slopes and differences."""
    reading = (
        "Mean Dice over classes of every case in both rows: first a line per case, blue where the row is at least as "
        "good; then its difference over its mean (dashed: limits of agreement, mean ± 1.96 SD)."
    )
    short = comparison.short
    pairs = [
        (comparison.pair_means(c).rename(columns=short), [replace(c, row=short(c.row), against=short(c.against))])
        for c in comparison.contrasts
    ]
    panels = [panel for draw in (slope_panels, difference_panels) for pair in pairs for panel in draw(*pair)]
    return Section("Case by case", reading, panels=panels)


def slices_section(comparison: Comparison) -> Section:
    """The same median and worst case of all rows."""
    if comparison.images_folder is None or comparison.labels_folder is None:
        return Section("Slices", "")
    panels, remarks = slice_panels(
        comparison.case_means,
        comparison.model_folders,
        comparison.images_folder,
        comparison.labels_folder,
        comparison.dataset_json,
    )
    reading = (
        "The cases whose mean Dice over all rows is the lowest one and the median, at the slice where the reference "
        "has the most labelled voxels. Above: the prediction, of the first replicate; beneath: where it is wrong. "
        "Dice: of the case, mean over classes and replicates."
    )
    return Section("Slices", reading, panels=panels, lead=" ".join(remarks))
