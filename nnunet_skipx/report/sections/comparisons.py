"""Each row against the baseline and its twins."""

from nnunet_skipx.report import tables
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.sections.section import Section


def contrast_section(comparison: Comparison) -> Section:
    """Each row against the baseline and its twins."""
    return Section(
        "Comparisons",
        "Of the mean Dice over classes, case by case. A twin has as many parameters (a flopstwin: as many operations) "
        "as its row, but not what is named beside it: the comparison with it tells that from the capacity. Cost of the "
        "twin: divided by its row's. t-test: that the mean difference is 0; two one-sided t-tests: that it is not "
        f"within {comparison.rope:g}; both of the law that the interval is of, and adjusted for all comparisons of "
        "this data set (Holm). Cases better: the effect size, the share of the cases in which the row is better, ties "
        "by half (wins / ties / losses); 50 % is none. Detectable: the difference that the t-test finds with 80 % "
        "power after adjustment, given this many cases and this scatter.",
        tables.contrast_table(comparison),
    )
