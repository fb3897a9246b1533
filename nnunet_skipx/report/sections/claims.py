"""How sure each claim is, and what margins allow to say."""

from nnunet_skipx.report.claims import claims_table
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.margins import NONINFERIORITY_TEST, margin_table
from nnunet_skipx.report.sections.section import Section


def claims_section(comparison: Comparison) -> Section:
    """Probability of a false claim, signed rank."""
    return Section(
        "How sure the claims are",
        "Of the mean Dice. False claim: the probability that the row with the higher mean Dice is not the better one, "
        "by the same law as the interval with a flat prior; not adjusted for the other comparisons. Signed rank "
        "(better / equivalent / worse): the Bayesian test of "
        f"Benavoli et al. (2014, 2017) with {comparison.rope:g} Dice as the region of equivalence, over cases only: it "
        "takes these trained networks as given, so that it says of them, not of their architectures, which one is "
        "better.",
        claims_table(comparison.claims),
    )


def margin_section(comparison: Comparison) -> Section:
    """Non-inferiority."""
    told = " ".join(margin.told for margin in comparison.margins)
    return Section(
        "Non-inferiority",
        f"Whether the mean is not worse than the baseline's by more than the margin, whichever way is better: "
        f"{NONINFERIORITY_TEST} of the law that the interval is of, adjusted over the rows within each metric (Holm), "
        "not over metrics. "
        "What is not shown is not thereby shown to be worse. A margin holds in its own metric and setting only. "
        f"{told}",
        margin_table(comparison.margin_claims),
    )
