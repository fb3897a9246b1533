"""What `skipx inspect` found."""

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.figures.inspection import inspection_panels
from nnunet_skipx.report.sections.section import Section


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
