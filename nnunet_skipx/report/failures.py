"""The bad cases of every row, and whether rows fail in other cases than the baseline."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from nnunet_skipx.statistics.adjustment import holm
from nnunet_skipx.statistics.tails import PairedFailures, Tail, paired_failures, tails, worst_cases
from nnunet_skipx.statistics.text import NONE, format_p, number


@dataclass(frozen=True)
class RowTail:
    """One row's tail, and its failures against the baseline's (None for the baseline); p: after Holm's adjustment."""

    tail: Tail
    paired: PairedFailures | None
    p: float


def row_tails(
    values: pd.DataFrame, baseline: str, threshold: float, clusters: Sequence[Hashable] | None
) -> list[RowTail]:
    """values: mean Dice over classes and replicates, a line per case, a column per row, all on equal terms."""
    pairs = {
        row: paired_failures(values[row].to_numpy(), values[baseline].to_numpy(), threshold, clusters)
        for row in values
        if row != baseline
    }
    p = dict(zip(pairs, holm([pair.p for pair in pairs.values()]).tolist(), strict=True))
    return [RowTail(tail, pairs.get(tail.row), p.get(tail.row, float("nan"))) for tail in tails(values, threshold)]


def tails_table(found: Sequence[RowTail], threshold: float) -> pd.DataFrame:
    """A line per row."""
    return pd.DataFrame([_line(row, threshold) for row in found])


def _line(row: RowTail, threshold: float) -> dict[str, str]:
    tail, paired = row.tail, row.paired
    share = f" ({100 * tail.failures / tail.n:.1f} %)" if tail.n else ""
    return {
        "Row": tail.row,
        "5th percentile": number(tail.low, ".3f"),
        f"Dice < {threshold:g}": f"{tail.failures} of {tail.n}{share}",
        "Fails alone": NONE if paired is None else str(paired.only_one),
        "Baseline fails alone": NONE if paired is None else str(paired.only_other),
        "McNemar (Holm)": "baseline" if paired is None else format_p(row.p),
    }


def worst_table(values: pd.DataFrame) -> pd.DataFrame:
    """The worst cases side by side in all rows, a line per row."""
    worst = worst_cases(values)
    columns: Mapping[str, pd.Series] = {str(case): worst.loc[(fold, case)] for fold, case in worst.index}
    return pd.DataFrame(
        [{"Row": str(row), **{name: number(column[row], ".3f") for name, column in columns.items()}} for row in worst]
    )
