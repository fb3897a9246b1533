"""Over data sets."""

from collections.abc import Sequence

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.pooling import TEST, pooled_over, pooled_table
from nnunet_skipx.report.sections.section import Section


def pooled_section(comparisons: Sequence[Comparison]) -> Section:
    """The model over data sets."""
    return Section(
        "Over data sets",
        f"Mean difference to the baseline over data sets: {TEST} (variance between data sets after Paule & Mandel, "
        "interval after Hartung & Knapp, t law of data sets less one; Holm over rows). Data sets are a sample, too: "
        "with few of them the interval is wide. SD between: of the data sets' true differences. "
        "Further data set: where, with 95 %, the difference in one more of their kind "
        "would lie.",
        pooled_table(pooled_over(comparisons)),
    )
