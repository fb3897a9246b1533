"""How much the rows of a study scattered, for the planning of the next one."""

from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations

import numpy as np

from nnunet_skipx.statistics.power import Scatter
from nnunet_skipx.statistics.scores import Scores, known_mean, on_equal_terms
from nnunet_skipx.statistics.trainings import membership, training_noise


def scatter_of(scores: Mapping[str, Scores], otherwise: Scatter) -> Scatter:
    """Root mean squares over the pairs of rows; what no row has replicates for is that of `otherwise`.

    Raises ValueError for fewer than two rows, and for no fold with two cases.

    >>> import pandas as pd
    >>> from nnunet_skipx.statistics.scores import row_scores
    >>> cells = [(row, 1, case % 2, case, "liver", "Dice") for row in ("A", "B") for case in range(4)]
    >>> table = pd.DataFrame(cells, columns=["row", "replicate", "fold", "case", "label", "metric"])
    >>> table["value"] = [0.8, 0.8, 0.9, 0.9, 0.7, 0.7, 0.8, 0.9]
    >>> scatter_of(row_scores(table), Scatter(0.015, 0.002)).seed_sd
    0.002
    """
    if len(scores) < 2:
        raise ValueError(f"a paired SD is of two rows, but there is only {', '.join(scores)}: name a second trainer")
    pairs = [_of_pair(one, other) for one, other in combinations(scores.values(), 2)]
    single = np.nanmean([variance for variance, _ in pairs])
    if not single >= 0:
        raise ValueError("no fold has two cases with a value in both rows: give --paired-sd instead")
    shares = [share for _, share in pairs if not np.isnan(share)]
    noise = [sd for rows in scores.values() if not np.isnan(sd := _seed_sd(rows))]
    return Scatter(
        float(np.sqrt(single)),
        float(np.sqrt(np.mean(np.square(noise)))) if noise else otherwise.seed_sd,
        float(np.clip(np.mean(shares), 0, 1)) if shares else otherwise.of_training,
    )


def _of_pair(one: Scores, other: Scores) -> tuple[float, float]:
    """(variance of a case's difference between two networks, share of it that is drawn anew; NaN: no replicates)."""
    first, second = (known_mean(values, 2) for values in on_equal_terms([one, other])[0])
    count = min(len(first), len(second))
    differences = first[:count] - second[:count]
    single = float(np.mean([_within_folds(values, one.folds) for values in differences]))
    if count < 2 or not single > 0:
        return single, float("nan")
    drawn_anew = (single - _within_folds(known_mean(differences, 0), one.folds)) * count / (count - 1)
    return single, drawn_anew / single


def _within_folds(values: np.ndarray, folds: Sequence[Hashable]) -> float:
    known = ~np.isnan(values)
    member = membership(folds)[known]
    size = member.sum(0)
    rest = values[known] - member @ (member.T @ values[known] / np.maximum(size, 1))
    freedom = known.sum() - (size > 0).sum()
    return float((rest**2).sum() / freedom) if freedom > 0 else float("nan")


def _seed_sd(rows: Scores) -> float:
    if len(rows.values) < 2:
        return float("nan")
    return float(training_noise(known_mean(rows.values, 2)[..., None], membership(rows.folds)).sd[0])
