"""A paragraph for a paper."""

from collections.abc import Sequence

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.methods import methods, methods_over
from nnunet_skipx.report.sections.section import Section


def methods_section(comparison: Comparison) -> Section:
    """What a paper says of how this was made."""
    return Section(
        "Methods, for a paper",
        "Written from what nnU-Net noted, from the plans and from the options of this report. What no file tells, as "
        "the data's origin or a trainer's reference where [?] stands, is yours to add.",
        paragraphs=methods(comparison),
    )


def methods_over_section(comparisons: Sequence[Comparison]) -> Section:
    """What a paper says of the model over data sets."""
    return Section(
        "Methods over data sets, for a paper",
        "Besides the paragraphs of each data set, which stand in its part.",
        paragraphs=methods_over(comparisons),
    )
