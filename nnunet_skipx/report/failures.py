"""The bad cases of every row, and whether rows fail in other cases than the baseline."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from nnunet_skipx.statistics.adjustment import holm
from nnunet_skipx.statistics.metric import metric_of
from nnunet_skipx.statistics.tails import PairedFailures, Tail, paired_failures, tails, worst_cases
from nnunet_skipx.statistics.text import NONE, format_p, number


@dataclass(frozen=True)
class RowTail:
    """One row's tail, and its failures against the baseline's (None for the baseline, and without a threshold).

    p: after Holm's adjustment over the rows, within the metric. threshold: beyond which a case counts as failed.
    """

    metric: str
    threshold: float | None
    tail: Tail
    paired: PairedFailures | None
    p: float


def row_tails(
    values: pd.DataFrame,
    metric: str,
    baseline: str,
    threshold: float | None,
    clusters: Sequence[Hashable] | None,
) -> list[RowTail]:
    """None for a metric of which neither more nor less is better, as neither of its ends is bad.

    values: its mean over classes and replicates, a line per case, a column per row, all on equal terms.
    """
    sign = metric_of(metric).sign
    if not sign:
        return []
    others = [] if threshold is None else [row for row in values if row != baseline]
    stock = values[baseline].to_numpy()
    pairs = {row: paired_failures(values[row].to_numpy(), stock, threshold or 0.0, clusters, sign) for row in others}
    p = dict(zip(pairs, holm([pair.p for pair in pairs.values()]).tolist(), strict=True))
    return [
        RowTail(metric, threshold, tail, pairs.get(tail.row), p.get(tail.row, float("nan")))
        for tail in tails(values, threshold, sign)
    ]


def tails_table(found: Sequence[RowTail], baseline: str) -> pd.DataFrame:
    """A line per row and metric."""
    return pd.DataFrame([_line(row, baseline) for row in found])


def _line(row: RowTail, baseline: str) -> dict[str, str]:
    tail, paired = row.tail, row.paired
    higher = metric_of(row.metric).sign > 0
    return {
        "Row": tail.row,
        "Metric": row.metric,
        "Percentile": f"{'5th' if higher else '95th'}: {number(tail.worst, '.3f')}",
        "Failures": NONE if row.threshold is None else _failures(tail, f"{'<' if higher else '>'} {row.threshold:g}"),
        "Fails alone": NONE if paired is None else str(paired.only_one),
        "Baseline fails alone": NONE if paired is None else str(paired.only_other),
        "McNemar (Holm)": "baseline" if tail.row == baseline else NONE if paired is None else format_p(row.p),
    }


def _failures(tail: Tail, beyond: str) -> str:
    """2 of 40 (5.0 %) < 0.5."""
    share = f" ({100 * (tail.failures or 0) / tail.n:.1f} %)" if tail.n else ""
    return f"{tail.failures} of {tail.n}{share} {beyond}"


def worst_table(values: pd.DataFrame) -> pd.DataFrame:
    """The worst cases side by side in all rows, a line per row."""
    worst = worst_cases(values)
    columns: Mapping[str, pd.Series] = {str(case): worst.loc[(fold, case)] for fold, case in worst.index}
    return pd.DataFrame(
        [{"Row": str(row), **{name: number(column[row], ".3f") for name, column in columns.items()}} for row in worst]
    )
