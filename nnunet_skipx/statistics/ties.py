"""Rows that the verdicts do not tell apart: groups of ties, and the places that a row may have."""

import numpy as np
import pandas as pd

MOST_GROUPS = 26  # a letter each; verdicts that make more have no order


def tie_groups(sign: pd.DataFrame) -> list[list[str]]:
    """The largest groups within which no row is better than another; two rows share one if and only if that is so.

    sign: row x row, +1 where the line's is better, -1 worse, 0 undecided or equivalent; best row first, which orders
    the groups. Insert and absorb (Piepho 2004): a decided pair splits every group that holds both. Empty where there
    would be more than `MOST_GROUPS`.

    >>> tie_groups(pd.DataFrame([[0, 0, 1], [0, 0, 0], [-1, 0, 0]], ["A", "B", "C"], ["A", "B", "C"]))
    [['A', 'B'], ['B', 'C']]
    """
    rows = [str(row) for row in sign.index]
    groups = [frozenset(range(len(rows)))]
    for one, other in np.argwhere(np.triu(sign.to_numpy()) != 0).tolist():
        both = [group for group in groups if {one, other} <= group]
        groups = [group for group in groups if group not in both]
        parts = {group - {gone} for group in both for gone in (one, other)}
        groups += [part for part in parts if not any(part < larger for larger in (*groups, *parts))]
        if len(groups) > MOST_GROUPS:
            return []
    return [[rows[number] for number in group] for group in sorted(map(sorted, groups))]


def group_letters(sign: pd.DataFrame) -> dict[str, str]:
    """Row -> the letters of its groups, as a compact letter display has them; rows that share one are tied.

    >>> group_letters(pd.DataFrame([[0, 0, 1], [0, 0, 0], [-1, 0, 0]], ["A", "B", "C"], ["A", "B", "C"]))
    {'A': 'a', 'B': 'ab', 'C': 'b'}
    """
    groups = tie_groups(sign)
    letters = [chr(ord("a") + number) for number in range(len(groups))]
    return {
        str(row): "".join(letter for letter, group in zip(letters, groups, strict=True) if str(row) in group)
        for row in sign.index
    }


def place_ranges(sign: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Row -> the first and the last place that the verdicts leave to it: behind all that are better, before all worse.

    >>> place_ranges(pd.DataFrame([[0, 0, 1], [0, 0, 0], [-1, 0, 0]], ["A", "B", "C"], ["A", "B", "C"]))
    {'A': (1, 2), 'B': (1, 3), 'C': (2, 3)}
    """
    better, worse = (sign < 0).sum(axis=1), (sign > 0).sum(axis=1)
    return {str(row): (1 + int(better[row]), len(sign) - int(worse[row])) for row in sign.index}
