"""How sure each claim is."""

from nnunet_skipx.report.claims import NONINFERIORITY_TEST, claims_table
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.sections.section import Section


def claims_section(comparison: Comparison) -> Section:
    """Probability of a false claim, signed rank, non-inferiority."""
    margin = comparison.margin
    told = f" Margin: not worse by more than that, {NONINFERIORITY_TEST}, Holm. {margin.told}" if margin else ""
    return Section(
        "How sure the claims are",
        "False claim: the probability that the row with the higher mean Dice is not the better one, by the same law "
        "as the interval with a flat prior; not adjusted for the other comparisons. Signed rank (better / equivalent "
        "/ worse): the Bayesian test of "
        f"Benavoli et al. (2014, 2017) with {comparison.rope:g} Dice as the region of equivalence, over cases only: it "
        "takes these trained networks as given, so that it says of them, not of their architectures, which one is "
        f"better.{told}",
        claims_table(comparison.claims, margin),
    )
