"""What stands beside the verdicts, for the formats other than the page: tables, sentences and JSON."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pandas as pd

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.pooling import pooled_over, pooled_sentences
from nnunet_skipx.report.sections.claims import claims_section, margin_section
from nnunet_skipx.report.sections.covariates import covariate_section
from nnunet_skipx.report.sections.families import families_section
from nnunet_skipx.report.sections.pooled import pooled_section
from nnunet_skipx.report.sections.tails import tails_section, worst_section
from nnunet_skipx.results.preregistration import Margin

SECTIONS = (claims_section, margin_section, families_section, tails_section, worst_section, covariate_section)


def further_tables(comparisons: Sequence[Comparison]) -> dict[str, pd.DataFrame]:
    """Caption -> table; the captions are the page's words."""
    made = [(f"{c.dataset}: ", build(c)) for c in comparisons for build in SECTIONS]
    if len(comparisons) > 1:
        made.append(("", pooled_section(comparisons)))
    return {
        f"{where}{section.heading}. {section.reading}": section.table
        for where, section in made
        if section.table is not None and section.is_shown
    }


def sentences_over_datasets(comparisons: Sequence[Comparison]) -> list[str]:
    """Those of the model over data sets; none for a single one."""
    if len(comparisons) < 2:
        return []
    return pooled_sentences(pooled_over(comparisons), comparisons[0].rope)


def further_json(comparison: Comparison) -> dict[str, Any]:
    """The numbers of one data set."""
    return {
        "margins": [_margin_json(margin) for margin in comparison.margins],
        "noninferiority": [dataclasses.asdict(claim) for _, claim in comparison.margin_claims],
        "claims": [dataclasses.asdict(claim) for claim in comparison.claims],
        "families": [dataclasses.asdict(one) for one in comparison.families],
        "tails": [dataclasses.asdict(tail) for tail in comparison.tails],
        "covariates": [dataclasses.asdict(effect) for effect in comparison.covariate_effects],
        "further_sentences": comparison.further_sentences,
    }


def _margin_json(margin: Margin) -> dict[str, Any]:
    fixed = margin.fixed.isoformat() if margin.fixed else None
    return {"metric": margin.metric, "value": margin.value, "fixed": fixed, "told": margin.told}
