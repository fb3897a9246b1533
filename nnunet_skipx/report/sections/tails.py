"""The bad cases."""

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.failures import tails_table, worst_table
from nnunet_skipx.report.other_metrics import no_meaning
from nnunet_skipx.report.sections.section import Section


def tails_section(comparison: Comparison) -> Section:
    """The bad ends and failures."""
    return Section(
        "Tails",
        "Of the mean over classes, and over replicates, of every case: the 5th percentile, or the 95th where less is "
        "better; of fewer than 20 cases it lies between the two worst. A case fails beyond the threshold (--failure), "
        "where the metric has one. McNemar's exact test asks "
        "whether a row fails in more cases than the baseline (Holm over rows, within the metric); it takes the "
        "trained networks as given, so that it says of them, not of their architectures. Where cases "
        "are of patients, a patient fails in it where one of his cases does."
        + no_meaning(comparison.in_detail, tails=True),
        tails_table(comparison.tails, comparison.baseline),
    )


def worst_section(comparison: Comparison) -> Section:
    """The worst cases side by side."""
    return Section(
        "Worst cases",
        "Mean Dice over classes of the cases in which any row is worst, beside all other rows.",
        worst_table(comparison.case_means),
    )
