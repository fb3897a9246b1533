"""Dice by size, and metrics other than Dice."""

from nnunet_skipx.report import tables
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.other_metrics import calibration_reading, metric_reading, no_meaning
from nnunet_skipx.report.sections.section import Section


def size_section(comparison: Comparison) -> Section:
    """Small and large structures."""
    return Section(
        "By size",
        "The structures (a class of a case) that the reference has, in thirds by their size within each class; "
        "the range is over all classes. Mean: over the classes of a case in that third, then over cases; differences "
        "and verdicts as above, of Dice only with a region of equivalence, adjusted over all rows and thirds of a "
        "metric (Holm). A wrong voxel costs a small structure more Dice than a large one."
        + no_meaning(comparison.in_detail),
        tables.size_table(comparison),
    )


def metric_section(comparison: Comparison) -> Section:
    """Metrics other than Dice."""
    return Section("Other metrics", metric_reading(comparison), tables.metric_table(comparison))


def calibration_section(comparison: Comparison) -> Section:
    """Whether probabilities can be believed."""
    return Section("Calibration", calibration_reading(comparison), tables.calibration_table(comparison))
