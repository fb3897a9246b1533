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
        f"The difference between {e.row} and {e.against} depends on {e.covariate}: {format_p(e.p)}, "
        f"{WITHIN if e.within_patients else TEST}, {_adjusted(e.tests)}."
        for e in effects
        if e.p < ALPHA
    ]
    if effects and not told:
        names = ", ".join(dict.fromkeys(effect.covariate for effect in effects))
        return [f"No difference is shown to depend on {names} ({TEST}, {_adjusted(effects[0].tests)})."]
    return told


def _adjusted(tests: int) -> str:
    return f"Holm over {tests} tests" if tests > 1 else "one test"
