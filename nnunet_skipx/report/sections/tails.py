"""The bad cases."""

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.failures import tails_table, worst_table
from nnunet_skipx.report.sections.section import Section


def tails_section(comparison: Comparison) -> Section:
    """Low percentiles and failures."""
    return Section(
        "Tails",
        f"A case fails below {comparison.failure:g}. Of the mean Dice over classes, and over replicates, of every "
        "case. McNemar's exact test asks whether a row "
        "fails in more cases than the baseline (Holm over rows); it takes the trained networks as given. Where cases "
        "are of patients, a patient fails in it where one of his cases does.",
        tails_table(comparison.tails, comparison.failure),
    )


def worst_section(comparison: Comparison) -> Section:
    """The worst cases side by side."""
    return Section(
        "Worst cases",
        "Mean Dice over classes of the cases in which any row is worst, beside all other rows.",
        worst_table(comparison.case_means),
    )
