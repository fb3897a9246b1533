"""Differences by what is known of the cases."""

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.covariates import covariate_table
from nnunet_skipx.report.sections.section import Section


def covariate_section(comparison: Comparison) -> Section:
    """By categories and thirds."""
    return Section(
        "By covariates",
        "Means of the cases of each category, and of each third where a number has more than five values. Whether "
        "the difference to the baseline depends on the covariate is asked by an F-test on ranks beside an effect of "
        "every fold (within patients, where the covariate varies in them), adjusted over all covariates and rows "
        "of a metric (Holm), not over metrics. The intervals of categories are not adjusted, and no ground for a "
        "claim.",
        covariate_table(comparison.covariate_effects),
    )
