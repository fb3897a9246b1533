"""Which of many rows differ, each from each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from nnunet_skipx.statistics.contrasts import Contrast, compare, judged
from nnunet_skipx.statistics.scores import EmptyRule, Scores
from nnunet_skipx.statistics.verdict import direction


@dataclass(frozen=True)
class Significance:
    """All pairs, row x row. p: adjusted; sign: +1 where the line's row is better than the column's, -1 worse, or 0."""

    p: pd.DataFrame
    sign: pd.DataFrame


def significance(
    scores: Mapping[str, Scores], made: Sequence[Contrast] = (), rule: EmptyRule = "scored"
) -> Significance:
    """Every pair of rows in Dice: those that were made before keep their p and verdict, so that a pair has one of each.

    The others are adjusted among themselves (Holm).

    >>> from nnunet_skipx.statistics.scores import row_scores
    >>> cells = [(row, 1, case % 5, case, "liver", "Dice") for row in ("A", "B") for case in range(10)]
    >>> table = pd.DataFrame(cells, columns=["row", "replicate", "fold", "case", "label", "metric"])
    >>> value = [0.8 + case / 100 for case in range(10)] + [0.7 + case / 90 for case in range(10)]
    >>> significance(row_scores(table.assign(value=value))).sign.loc["A"].to_dict()
    {'A': 0, 'B': 1}
    """
    known = {frozenset((contrast.row, contrast.against)) for contrast in made}
    others = [pair for pair in combinations(scores, 2) if frozenset(pair) not in known]
    more = judged([compare(scores, pair, "other", float("nan"), rule, len(others)) for pair in others])
    rows = list(scores)
    p = pd.DataFrame(float("nan"), rows, rows)
    sign = pd.DataFrame(0, rows, rows)
    for contrast in (*made, *more):
        better = {"better": 1, "worse": -1}.get(direction(contrast.verdict or "undecided"), 0)
        p.loc[contrast.row, contrast.against] = p.loc[contrast.against, contrast.row] = contrast.p
        sign.loc[contrast.row, contrast.against], sign.loc[contrast.against, contrast.row] = better, -better
    return Significance(p, sign)
