"""Paired differences by covariates, as a table and as sentences."""

from collections.abc import Sequence

import pandas as pd

from nnunet_skipx.statistics.estimate import ALPHA
from nnunet_skipx.statistics.subgroups import CovariateEffect
from nnunet_skipx.statistics.text import format_p, format_signed, number

TEST = "F-test on ranks, beside the folds"
WITHIN = "F-test on ranks, within patients"


def covariate_table(effects: Sequence[CovariateEffect]) -> pd.DataFrame:
    """A line per row, covariate and category."""
    return pd.DataFrame(
        [
            {
                "Row": effect.row,
                "Metric": effect.metric,
                "Covariate": effect.covariate,
                "Category": group.category,
                "Cases": str(group.difference.interval.n),
                "Mean": number(group.one, ".3f"),
                f"Mean of {effect.against}": number(group.other, ".3f"),
                "Difference [95 % CI]": format_signed(group.difference.interval),
                "F-test (Holm)": format_p(effect.p),
            }
            for effect in effects
            for group in effect.groups
        ]
    )


def covariate_sentences(effects: Sequence[CovariateEffect]) -> list[str]:
    """One for each dependence that is shown, or one that none is."""
    told = [
        f"The difference in {e.metric} between {e.row} and {e.against} depends on {e.covariate}: {format_p(e.p)}, "
        f"{WITHIN if e.within_patients else TEST}, {_adjusted(e.tests)}."
        for e in effects
        if e.p < ALPHA
    ]
    return [*told, *_not_shown(effects)]


def _not_shown(effects: Sequence[CovariateEffect]) -> list[str]:
    """A sentence for all metrics in which no difference depends on a covariate, by how that was tested."""
    alike: dict[str, list[str]] = {}
    for metric in dict.fromkeys(effect.metric for effect in effects):
        mine = [effect for effect in effects if effect.metric == metric]
        if not any(effect.p < ALPHA for effect in mine):
            alike.setdefault(_what_was_tested(mine), []).append(metric)
    return [told.format(", ".join(metrics)) for told, metrics in alike.items()]


def _what_was_tested(effects: Sequence[CovariateEffect]) -> str:
    """The sentence on a metric without a dependence, with a place for its name."""
    names = ", ".join(dict.fromkeys(effect.covariate for effect in effects)).replace("{", "{{").replace("}", "}}")
    if not any(effect.tests for effect in effects):
        return f"Whether a difference in {{}} depends on {names} cannot be tested with these cases."
    tests = [text for text, used in ((TEST, False), (WITHIN, True)) if any(e.within_patients == used for e in effects)]
    how = f"{'; '.join(tests)}, {_adjusted(effects[0].tests)}"
    return f"No difference in {{}} is shown to depend on {names} ({how})."


def _adjusted(tests: int) -> str:
    return f"Holm over {tests} tests in a metric" if tests > 1 else "one test"
