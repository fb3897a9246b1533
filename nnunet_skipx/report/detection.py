"""Structures that are there or not, and found or not: what a mean Dice does not tell."""

from collections.abc import Sequence

import pandas as pd

from nnunet_skipx.statistics.text import NONE

MOST_NAMED = 5


def detection_table(presence: pd.DataFrame) -> pd.DataFrame:
    """A line per row and class; empty where every structure is there and found, which the tables of Dice tell, too.

    presence: of `results.presence`. With replicates, a case counts once for each.
    """
    if presence["in_reference"].all() and presence["in_prediction"].all():
        return pd.DataFrame()
    parts = presence.groupby(["row", "label"], sort=False)
    return pd.DataFrame([_line(str(row), str(label), part) for (row, label), part in parts])


def _line(row: str, label: str, part: pd.DataFrame) -> dict[str, str]:
    there, absent = part[part["in_reference"]], part[~part["in_reference"]]
    return {
        "Row": row,
        "Class": label,
        "Sensitivity": _share(there["in_prediction"]),
        "Specificity": _share(~absent["in_prediction"]),
        "Missed": _named(there.loc[~there["in_prediction"], "case"].unique().tolist()),
        "Invented": _named(absent.loc[absent["in_prediction"], "case"].unique().tolist()),
    }


def _share(right: pd.Series) -> str:
    """0.95 (19 of 20); a dash for none of none."""
    return f"{right.mean():.2f} ({right.sum()} of {len(right)})" if len(right) else NONE


def _named(cases: Sequence[str]) -> str:
    """The first cases, and how many more there are."""
    more = f" and {len(cases) - MOST_NAMED} more" if len(cases) > MOST_NAMED else ""
    return ", ".join(cases[:MOST_NAMED]) + more or NONE
