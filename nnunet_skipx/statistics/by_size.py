"""Metrics of small, middling and large structures: a mean over all may hide that a row fails on the small ones."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nnunet_skipx.statistics.contrasts import Contrast, compare, judged
from nnunet_skipx.statistics.estimate import FEWEST_CASES
from nnunet_skipx.statistics.means import Interval, mean_intervals
from nnunet_skipx.statistics.metric import DICE
from nnunet_skipx.statistics.scores import Scores, known_mean, row_scores

THIRDS = ("small", "middle", "large")
KEYS = ["fold", "case", "label"]


@dataclass(frozen=True)
class SizeRow:
    """One row in a third of each class's structures; low, high: sizes in it; no contrast for the baseline."""

    metric: str
    third: str
    low: float
    high: float
    structures: int
    row: str
    mean: Interval
    contrast: Contrast | None


def size_rows(
    table: pd.DataFrame, sizes: pd.DataFrame, baseline: str, rope: float, metric: str = DICE
) -> list[SizeRow]:
    """Thirds by size within each class, every row; nothing where a third has structures of fewer than 6 cases.

    table: tidy. sizes: fold, case, label, size of every structure that the reference has. rope: in the metric's unit,
    NaN for none. p and verdicts are adjusted over all rows and thirds of the metric (Holm).

    >>> cells = [(row, 1, case % 3, case, "liver", "Dice") for row in ("A", "B") for case in range(30)]
    >>> table = pd.DataFrame(cells, columns=["row", "replicate", "fold", "case", "label", "metric"])
    >>> sizes = table.loc[table["row"] == "A", KEYS].assign(size=range(1, 31))
    >>> table["value"] = [*np.linspace(0.6, 0.9, 30), *np.linspace(0.3, 0.9, 30)]
    >>> [(line.third, line.row, round(line.mean.value, 2)) for line in size_rows(table, sizes, "A", 0.003)][:3]
    [('small', 'A', 0.65), ('small', 'B', 0.39), ('middle', 'A', 0.75)]
    """
    parts = dict(list(sizes.assign(third=_thirds(sizes)).groupby("third", sort=False)))
    if len(parts) < len(THIRDS) or min(len(part[KEYS[:2]].drop_duplicates()) for part in parts.values()) < FEWEST_CASES:
        return []
    scores = {third: row_scores(table.merge(parts[third][KEYS], on=KEYS), metric) for third in THIRDS}
    contrasts = _contrasts(scores, baseline, rope, metric)
    lines = []
    for third in THIRDS:
        size = parts[third]["size"]
        for name, found in scores[third].items():
            means = known_mean(found.values, 2)[..., None]
            (mean,) = mean_intervals(means, found.folds, found.metric.bounds, found.clusters)
            contrast = contrasts.get((third, name))
            ends = float(size.min()), float(size.max())
            lines.append(SizeRow(metric, third, *ends, len(size), name, mean, contrast))
    return lines


def _thirds(sizes: pd.DataFrame) -> pd.Series:
    """The third of each structure among those of its class; equal sizes are in one."""
    share = sizes.groupby("label")["size"].rank(pct=True, method="min")
    return pd.Series(np.array(THIRDS)[np.minimum((share * 3 - 1e-9).astype(int), 2)], sizes.index)


def _contrasts(
    scores: dict[str, dict[str, Scores]], baseline: str, rope: float, metric: str
) -> dict[tuple[str, str], Contrast]:
    """(third, row) -> against the baseline."""
    keys = [(third, row) for third in THIRDS for row in scores[third] if row != baseline]
    count = len(keys)
    made = [compare(scores[third], (row, baseline), "baseline", rope, "scored", count, metric) for third, row in keys]
    return dict(zip(keys, judged(made, parts=[third for third, _ in keys]), strict=True))
