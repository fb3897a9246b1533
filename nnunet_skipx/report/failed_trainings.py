"""Trainings that learned nothing of a class: a mean over them and others is of two kinds of networks."""

import pandas as pd

from nnunet_skipx.nnunet.evaluated import told

LEARNED = 0.1  # Dice that a network reaches in one of its cases, at least, if it has learned a class
FEWEST = 3  # cases that have the class
NAMED = 3  # at most
NETWORK = ["row", "replicate", "fold"]


def failed_trainings(table: pd.DataFrame, presence: pd.DataFrame | None, trained: str) -> str:
    """Which rows have such trainings, and how many, in a sentence; empty where there are none.

    table: of Dice, a line per row, replicate, fold, case and label. presence: of `results.presence`, if it is known.
    trained: what predicted a fold.
    """
    known = table.dropna(subset="value")
    if presence is not None:
        there = presence.loc[presence["in_reference"], [*NETWORK, "case", "label"]]
        known = known.merge(there, on=[*NETWORK, "case", "label"])
    best = known.groupby([*NETWORK, "label"], sort=False)["value"].agg(["max", "size"]).reset_index()
    failed = best[(best["max"] < LEARNED) & (best["size"] >= FEWEST)]
    if failed.empty:
        return ""
    rows = [_of_row(str(row), part, table, trained) for row, part in failed.groupby("row", sort=False)]
    return (
        f"Nothing of a class was learned (Dice below {LEARNED:g} in every case that has it) by {', '.join(rows)}: "
        "such a mean says how often training fails as much as how well it works."
    )


def _of_row(row: str, failed: pd.DataFrame, table: pd.DataFrame, trained: str) -> str:
    """1 of 10 trained networks of A (liver: replicate 2 fold 1)."""
    everything = table.loc[table["row"] == row, ["replicate", "fold"]].drop_duplicates()
    networks = failed[["replicate", "fold"]].drop_duplicates()
    several = everything["replicate"].nunique() > 1
    details = [
        f"{label}: {f'replicate {replicate} ' if several else ''}{told(fold)}"
        for replicate, fold, label in failed[["replicate", "fold", "label"]].itertuples(index=False)
    ]
    more = f" and {len(details) - NAMED} more" if len(details) > NAMED else ""
    plural = "" if len(everything) == 1 else "s"
    return f"{len(networks)} of {len(everything)} {trained}{plural} of {row} ({', '.join(details[:NAMED])}{more})"
