"""What margins allow to say of rows and the baseline: one claim per margin and row, as a table and as sentences."""

from collections.abc import Mapping, Sequence

import pandas as pd

from nnunet_skipx.report.wording import numbers_of
from nnunet_skipx.results.preregistration import Margin
from nnunet_skipx.statistics.contrasts import Contrast
from nnunet_skipx.statistics.metric import metric_of, quantity
from nnunet_skipx.statistics.noninferiority import ONE_SIDED, NonInferiority, noninferiority
from nnunet_skipx.statistics.text import format_p, format_signed

NONINFERIORITY_TEST = f"one-sided t-test at {100 * ONE_SIDED:g} %"
Claims = Sequence[tuple[Margin, NonInferiority]]


def margin_claims(margins: Sequence[Margin], contrasts: Mapping[str, Sequence[Contrast]]) -> Claims:
    """Every margin with its claims; contrasts: by metric. A margin in a metric that was not taken has none."""
    return [(m, claim) for m in margins for claim in noninferiority(contrasts.get(m.metric, ()), m.value)]


def margin_table(found: Claims) -> pd.DataFrame:
    """A line per claim."""
    return pd.DataFrame(
        [
            {
                "Row": claim.row,
                "Metric": claim.metric,
                "Better": metric_of(claim.metric).better,
                "Margin": f"{margin.value:g}, {margin.origin}",
                f"Difference to {claim.against} [95 % CI]": format_signed(claim.difference.interval),
                "One-sided t-test (Holm)": claim.reason or format_p(claim.p),
                "Not worse by the margin": "shown" if claim.shown else "not shown",
            }
            for margin, claim in found
        ]
    )


def margin_sentences(margins: Sequence[Margin], found: Claims) -> list[str]:
    """Where every margin comes from, and what it allows to say; also that one was promised and could not be tested."""
    told = []
    for margin in margins:
        mine = [claim for of, claim in found if of is margin]
        told.append(margin.told if mine else f"{margin.told} It is not tested: no row has {margin.metric} here.")
        told += [_sentence(claim, margin) for claim in mine]
    return told


def _sentence(claim: NonInferiority, margin: Margin) -> str:
    adjusted = f"Holm over {claim.comparisons} comparisons" if claim.comparisons > 1 else "one comparison"
    tested = claim.reason or f"{format_p(claim.p)}, {NONINFERIORITY_TEST}, {adjusted}"
    amount = quantity(claim.margin, claim.metric)
    what = f"not worse than {claim.against} by more than the margin ({amount}, {margin.origin})"
    how = f"mean {claim.metric} difference {numbers_of(claim.difference.interval)}; {tested}."
    return f"{claim.row} is {what}: {how}" if claim.shown else f"Not shown that {claim.row} is {what}: {how}"
