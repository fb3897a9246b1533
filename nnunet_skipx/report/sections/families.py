"""What the rows have in common."""

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.families import families_table
from nnunet_skipx.report.sections.section import Section
from nnunet_skipx.training.families import FAMILIES


def families_section(comparison: Comparison) -> Section:
    """Ingredients that networks share."""
    told = "; ".join(f"{name}: {text}" for name, text in FAMILIES.items())
    return Section(
        "What the rows have in common",
        f"{told[0].upper()}{told[1:]}. Of the mean Dice over classes and cases. Networks are the sample here, not "
        "cases: between networks Welch's t-test of their means; networks and themselves without it, their twins that "
        "lack this alone, by a paired t-test. Holm over all lines. Networks that share an ingredient differ in much "
        "else, so that a difference between networks need not be due to it; beside their twins they differ in it "
        "alone. Twins, rows with options of their network, and trainers that are not ours do not count between "
        "networks.",
        families_table(comparison.families),
        whole_names=True,
    )
