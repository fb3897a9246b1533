"""Rows over several data sets, by a model in which data sets are a sample, too."""

from collections.abc import Sequence

import pandas as pd

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.statistics.pooled import Pooled, pooled
from nnunet_skipx.statistics.text import NONE, format_p
from nnunet_skipx.statistics.verdict import direction

TEST = "t-test of a random-effects model"


def pooled_over(comparisons: Sequence[Comparison]) -> list[Pooled]:
    """Every row that two data sets or more compare with the same baseline."""
    return pooled({c.dataset: c.contrasts for c in comparisons}, comparisons[0].rope)


def pooled_table(found: Sequence[Pooled]) -> pd.DataFrame:
    """A line per row."""
    return pd.DataFrame([_line(one) for one in found])


def _line(one: Pooled) -> dict[str, str]:
    further = NONE if one.next_low != one.next_low else f"[{one.next_low:+.3f}, {one.next_high:+.3f}]"
    return {
        "Row": one.row,
        "Against": one.against,
        "Data sets": str(len(one.datasets)),
        "Verdict": one.verdict,
        "Difference [95 % CI]": f"{one.value:+.3f} [{one.low:+.3f}, {one.high:+.3f}]",
        "SD between": f"{one.between:.3f}",
        "Further data set": further,
        "t-test (Holm)": format_p(one.p),
        "TOST (Holm)": format_p(one.outside),
    }


def pooled_sentences(found: Sequence[Pooled], rope: float) -> list[str]:
    """What the data sets together allow to say, one per row."""
    return [_sentence(one, rope, len(found)) for one in found]


def _sentence(one: Pooled, rope: float, rows: int) -> str:
    adjusted = f"Holm over {rows} rows" if rows > 1 else "one row"
    numbers = f"mean Dice difference {one.value:+.3f}, 95 % CI {one.low:+.3f} to {one.high:+.3f}"
    tested = f"{format_p(one.p)}, {TEST}, {adjusted}; {len(one.datasets)} data sets"
    if one.verdict == "undecided":
        return f"Over data sets, undecided between {one.row} and {one.against}: {numbers}; {tested}."
    if one.verdict == "equivalent":
        return f"Over data sets, {one.row} and {one.against} are equivalent within {rope:g} Dice: {numbers}; {tested}."
    less = "" if one.verdict == direction(one.verdict) else f", but by less than matters ({rope:g} Dice)"
    return f"Over data sets, {one.row} is {direction(one.verdict)} than {one.against}{less}: {numbers}; {tested}."
