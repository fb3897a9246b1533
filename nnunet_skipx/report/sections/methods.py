"""A paragraph for a paper."""

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.methods import methods
from nnunet_skipx.report.sections.section import Section


def methods_section(comparison: Comparison) -> Section:
    """What a paper says of how this was made."""
    return Section(
        "Methods, for a paper",
        "Written from what nnU-Net noted, from the plans and from the options of this report. What no file tells, as "
        "the data's origin or a trainer's reference where [?] stands, is yours to add.",
        paragraphs=methods(comparison),
    )
