"""The numbers of the report: means per row, and contrasts between rows that belong together."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from nnunet_skipx.statistics.adjustment import holm
from nnunet_skipx.statistics.estimate import FEWEST_CASES, ROUNDING
from nnunet_skipx.statistics.means import ROPE, Interval, PairedDifference, mean_intervals, paired_difference
from nnunet_skipx.statistics.metric import DICE, Better, metric_of
from nnunet_skipx.statistics.ranking import mean_ranks
from nnunet_skipx.statistics.scores import (
    Empties,
    EmptyRule,
    Scores,
    case_table,
    known_mean,
    on_equal_terms,
    row_scores,
)
from nnunet_skipx.statistics.trainings import membership, training_noise
from nnunet_skipx.statistics.verdict import Reason, Verdict, direction, verdict


@dataclass(frozen=True)
class Row:
    """The Dice of one row: per class, mean over classes; the means of folds and replicates are points only.

    foreground_mean: of cases, then of classes, as nnU-Net's summaries have it; a class of few cases counts as much in
    it as one of many, while in `mean` it counts in these cases.
    training_sd, icc: of the trained networks in the mean over classes (`TrainingNoise`); NaN without replicates.
    """

    name: str
    per_class: dict[str, Interval]
    mean: Interval
    foreground_mean: float
    fold_means: dict[int | str, float]
    replicate_means: dict[int, float]
    training_sd: float
    icc: float


@dataclass(frozen=True)
class Contrast:
    """One row against another: `against` is the baseline, a twin of the row, or any other row.

    p: of the difference, outside: of the equivalence test, both after Holm's adjustment over the `comparisons` of a
    data set in this metric that have a p. verdict: None where neither more nor less is better. reason: what forbids to
    decide.
    empties: structures without a value in both rows. alternative: where some are in the prediction of one row only,
    the difference by the other `EmptyRule`. metric: its name in the table.
    """

    row: str
    against: str
    kind: Literal["baseline", "twin", "other"]
    difference: PairedDifference
    p: float
    outside: float
    comparisons: int
    verdict: Verdict | None
    reason: Reason
    empties: Empties
    alternative: PairedDifference | None
    metric: str = DICE


@dataclass(frozen=True)
class MetricRow:
    """One row under another metric than Dice: mean over classes, then cases; no contrast for the baseline.

    better: which way. mean_rank: over the cases, 1 is best; NaN where neither more nor less is better.
    """

    metric: str
    better: Better
    row: str
    mean: Interval
    mean_rank: float
    contrast: Contrast | None


def summary_rows(table: pd.DataFrame) -> list[Row]:
    """One `Row` per row of the table, in its order.

    >>> cells = [(row, 1, case % 5, case, "liver", "Dice") for row in ("A", "B") for case in range(10)]
    >>> table = pd.DataFrame(cells, columns=["row", "replicate", "fold", "case", "label", "metric"])
    >>> table["value"] = [*np.linspace(0.8, 0.9, 10), *np.linspace(0.7, 0.85, 10)]
    >>> [(row.name, round(row.mean.value, 3)) for row in summary_rows(table)]
    [('A', 0.85), ('B', 0.775)]
    """
    labels = table.loc[table["metric"] == "Dice", "label"].unique()
    return [_row(name, scores, labels) for name, scores in row_scores(table).items()]


def _row(name: str, scores: Scores, labels: Sequence[str]) -> Row:
    folds = np.array(scores.folds)
    means = known_mean(scores.values, 2)
    by_case = known_mean(means, 0)
    (mean,) = mean_intervals(means[..., None], scores.folds, (0, 1), scores.clusters)
    noise = training_noise(means[..., None], membership(scores.folds)) if len(means) > 1 else None
    per_class = dict(zip(labels, mean_intervals(scores.values, scores.folds, (0, 1), scores.clusters), strict=True))
    return Row(
        name=name,
        per_class=per_class,
        mean=mean,
        foreground_mean=float(known_mean(np.array([interval.value for interval in per_class.values()]), 0)),
        fold_means={fold: float(known_mean(by_case[folds == fold], 0)) for fold in np.unique(folds).tolist()},
        replicate_means={
            int(number): float(known_mean(part, 0)) for number, part in zip(scores.replicates, means, strict=True)
        },
        training_sd=float(noise.sd[0]) if noise else float("nan"),
        icc=float(noise.icc[0]) if noise else float("nan"),
    )


def contrasts(
    table: pd.DataFrame,
    baseline: str,
    rope: float = ROPE,
    metric: str = "Dice",
    twins: Sequence[tuple[str, str]] = (),
    rule: EmptyRule = "scored",
) -> list[Contrast]:
    """Every row against the baseline, then every row against each of its twins.

    twins: a row and a twin of it, each. rope: half the region of practical equivalence, in the metric's unit; NaN for
    none. rule: for structures that are not there.
    Raises ValueError when the baseline is not in the table, or the cases of two rows are not the same.

    >>> cells = [(row, 1, case % 5, case, "liver", "Dice") for row in ("A", "B") for case in range(10)]
    >>> table = pd.DataFrame(cells, columns=["row", "replicate", "fold", "case", "label", "metric"])
    >>> table["value"] = [*np.linspace(0.8, 0.9, 10), *np.linspace(0.7, 0.85, 10)]
    >>> (contrast,) = contrasts(table, baseline="B")
    >>> contrast.row, contrast.against, round(contrast.difference.interval.value, 3), contrast.verdict
    ('A', 'B', 0.075, 'better')
    """
    scores = row_scores(table, metric)
    if baseline not in scores:
        raise ValueError(f"the baseline {baseline!r} has no {metric} in the table; it has {sorted(scores)}")
    pairs = [(row, baseline) for row in scores if row != baseline]
    comparisons = len({frozenset(pair) for pair in (*pairs, *twins)})
    made = [compare(scores, pair, "baseline", rope, rule, comparisons, metric) for pair in pairs]
    made += [compare(scores, pair, "twin", rope, rule, comparisons, metric) for pair in twins]
    return judged(made)


def compare(
    scores: Mapping[str, Scores],
    pair: tuple[str, str],
    kind: Literal["baseline", "twin", "other"],
    rope: float,
    rule: EmptyRule,
    comparisons: int,
    metric: str = DICE,
) -> Contrast:
    """The first row of the pair against the second; not yet adjusted for the other comparisons, nor judged.

    >>> cells = [(row, 1, case % 5, case, "liver", "Dice") for row in ("A", "B") for case in range(10)]
    >>> table = pd.DataFrame(cells, columns=["row", "replicate", "fold", "case", "label", "metric"])
    >>> table["value"] = [*np.linspace(0.8, 0.9, 10), *np.linspace(0.7, 0.85, 10)]
    >>> made = compare(row_scores(table), ("B", "A"), "other", ROPE, "scored", 1)
    >>> round(made.difference.interval.value, 3), made.verdict
    (-0.075, None)
    """
    rows = [scores[name] for name in pair]
    difference, empties = _difference(rows, rule, rope, comparisons)
    other: EmptyRule = "left-out" if rule == "scored" else "scored"
    alternative = _difference(rows, other, rope, comparisons)[0] if empties.one else None
    p, outside = difference.p, difference.outside
    return Contrast(*pair, kind, difference, p, outside, comparisons, None, "", empties, alternative, metric)


def _difference(
    rows: Sequence[Scores], rule: EmptyRule, rope: float, comparisons: int
) -> tuple[PairedDifference, Empties]:
    levelled, empties = on_equal_terms(rows, rule)
    one, other = (known_mean(values, 2) for values in levelled)
    first, metric = rows[0], rows[0].metric
    return paired_difference(
        one, other, first.folds, rope, comparisons, metric.sign, first.clusters, metric.span
    ), empties


def judged(found: Sequence[Contrast], parts: Sequence[Hashable] | None = None) -> list[Contrast]:
    """The contrasts of a metric with Holm's p over all, and their verdicts; the same pair in both kinds counts once.

    parts: of the data that each contrast is of, where these differ.

    >>> cells = [(row, 1, case % 5, case, "liver", "Dice") for row in ("A", "B") for case in range(10)]
    >>> table = pd.DataFrame(cells, columns=["row", "replicate", "fold", "case", "label", "metric"])
    >>> table["value"] = [*np.linspace(0.8, 0.9, 10), *np.linspace(0.7, 0.85, 10)]
    >>> made = compare(row_scores(table), ("B", "A"), "other", ROPE, "scored", 1)
    >>> [contrast.verdict for contrast in judged([made])]
    ['worse']
    """
    keys = [(frozenset((c.row, c.against)), part) for c, part in zip(found, parts or [None] * len(found), strict=True)]
    tests = _adjusted({key: c.difference for key, c in zip(keys, found, strict=True)})
    alternatives = _adjusted({key: c.alternative or c.difference for key, c in zip(keys, found, strict=True)})
    tested = sum(p == p for p, _ in tests.values())  # the others have no p, and count not
    made = []
    for key, contrast in zip(keys, found, strict=True):
        sign = metric_of(contrast.metric).sign
        p, outside = tests[key]
        word = verdict(sign * contrast.difference.interval.value, p, outside)
        other = contrast.alternative or contrast.difference
        otherwise = verdict(sign * other.interval.value, *alternatives[key])
        reason = _why_undecided(contrast, word, otherwise)
        told = None if sign == 0 else "undecided" if reason else word
        made.append(replace(contrast, p=p, outside=outside, verdict=told, reason=reason, comparisons=tested))
    return made


def _adjusted(found: Mapping[Hashable, PairedDifference]) -> dict[Hashable, tuple[float, float]]:
    """What is compared -> p of the difference and of equivalence, each adjusted over all."""
    p = holm([difference.p for difference in found.values()]).tolist()
    outside = holm([difference.outside for difference in found.values()]).tolist()
    return dict(zip(found, zip(p, outside, strict=True), strict=True))


def no_ground(contrast: Contrast) -> Reason:
    """What makes any claim on a contrast impossible, be it of a difference, of equivalence or of non-inferiority.

    >>> cells = [(row, 1, 0, case, "liver", "Dice", 0.8) for row in ("A", "B") for case in range(5)]
    >>> table = pd.DataFrame(cells, columns=["row", "replicate", "fold", "case", "label", "metric", "value"])
    >>> no_ground(contrasts(table, "A")[0])
    'few cases'
    """
    interval = contrast.difference.interval
    if (interval.n if interval.clusters is None else interval.clusters) < FEWEST_CASES:
        return "few cases"
    if interval.sd <= ROUNDING:
        return "no scatter"
    return "one training" if interval.training == "unknown" else ""


def _why_undecided(contrast: Contrast, word: Verdict, otherwise: Verdict) -> Reason:
    """Why nothing is said whatever the p: they leave out what decides."""
    if reason := no_ground(contrast):
        return reason
    if word == "undecided":
        return ""
    if contrast.empties.undefined:
        return "undefined values"
    return "empty structures" if direction(word) != direction(otherwise) else ""


def metric_rows(table: pd.DataFrame, baseline: str, rule: EmptyRule = "scored") -> list[MetricRow]:
    """Metric by metric other than Dice, every row; contrasts with the baseline, judged within each metric, no ROPE.

    >>> cells = [(row, 1, case % 5, case, "liver", "NSD") for row in ("A", "B") for case in range(10)]
    >>> table = pd.DataFrame(cells, columns=["row", "replicate", "fold", "case", "label", "metric"])
    >>> table["value"] = [*np.linspace(0.8, 0.9, 10), *np.linspace(0.7, 0.85, 10)]
    >>> [(row.row, round(row.mean.value, 3), row.contrast and row.contrast.verdict) for row in metric_rows(table, "B")]
    [('A', 0.85, 'better'), ('B', 0.775, None)]
    """
    rows = []
    for metric in (name for name in table["metric"].unique() if name != "Dice"):
        made = contrasts(table, baseline, float("nan"), metric, rule=rule)
        by_row = {contrast.row: contrast for contrast in made}
        by_name, known = row_scores(table, metric), metric_of(metric)
        ranks = mean_ranks(case_table(by_name, rule)[0] * known.sign) if known.sign else {}
        for name, scores in by_name.items():
            means = known_mean(scores.values, 2)[..., None]
            (mean,) = mean_intervals(means, scores.folds, known.bounds, scores.clusters)
            rank = ranks.get(name, float("nan"))
            rows.append(MetricRow(metric, known.better, name, mean, rank, by_row.get(name)))
    return rows
