"""What the rows of a table scored, as arrays, and how structures count that are in neither map.

Where reference and prediction both lack a structure, nnU-Net's Dice is NaN; where only the prediction has it, 0. A mean
that leaves out NaN would hence reward whoever invents structures in easy cases. Between rows such a case counts 1 for a
row that is right and 0 for one that is wrong; where every row is right it says nothing of them, and is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from nnunet_skipx.statistics.metric import METRICS, Metric, base_name, metric_of

# How a structure counts between rows that the reference lacks and not every row predicts.
EmptyRule = Literal["scored", "left-out"]  # 1 and 0; or not at all


@dataclass(frozen=True)
class Scores:
    """One row under one metric.

    values: `(replicate, case, label)`, NaN where there is none. right: likewise, whether that is because the structure
    is in neither map. cases: (fold, case) of the second axis. replicates: numbers of the first. metric: what it is.
    clusters: of the cases, for example their patients; None where each case is one of its own.
    """

    values: np.ndarray
    right: np.ndarray
    cases: pd.MultiIndex
    replicates: tuple[int, ...]
    metric: Metric = METRICS["Dice"]
    clusters: tuple[str, ...] | None = None

    @property
    def folds(self) -> list[int | str]:
        """Of the cases; a text in place of a number where a test set was predicted by several folds' networks."""
        folds: list[int | str] = self.cases.get_level_values("fold").tolist()
        return folds


@dataclass(frozen=True)
class Empties:
    """Structures (a class of a case) without a value in all rows of a comparison: what became of them.

    both: in neither map of any row; left out. one: in the prediction of some rows only; scored or left out by the rule.
    undefined: in some rows only for another reason, as a distance to nothing; left out.
    """

    both: int = 0
    one: int = 0
    undefined: int = 0


NO_EMPTIES = Empties()


def row_scores(table: pd.DataFrame, metric: str = "Dice") -> dict[str, Scores]:
    """Row -> scores, in the table's order; ValueError where a row has several values per case.

    table: tidy, perhaps with a column `cluster`, by case.

    >>> cells = [("A", 1, 0, "a", "liver", "Dice", np.nan), ("B", 1, 0, "a", "liver", "Dice", 0.0)]
    >>> columns = ["row", "replicate", "fold", "case", "label", "metric", "value"]
    >>> rows = row_scores(pd.DataFrame(cells, columns=columns))
    >>> {row: (scores.values.shape, bool(scores.right.all())) for row, scores in rows.items()}
    {'A': ((1, 1, 1), True), 'B': ((1, 1, 1), False)}
    """
    known = metric_of(metric)
    scored = not np.isnan(known.absent)
    seen = _seen_absent(table, metric, known) if scored and metric != "Dice" else {}
    scores, clusters = {}, _clusters(table)
    for row, (array, cases, replicates) in _arrays(table, metric).items():
        right = np.isnan(array) & seen.get(row, np.full(array.shape, scored))
        of_cases = None if clusters is None else tuple(clusters.loc[cases.get_level_values("case")])
        scores[row] = Scores(array, right, cases, replicates, known, of_cases)
    return scores


def _clusters(table: pd.DataFrame) -> pd.Series | None:
    """Case -> its cluster."""
    return table.drop_duplicates("case").set_index("case")["cluster"] if "cluster" in table else None


def on_equal_terms(rows: Sequence[Scores], rule: EmptyRule = "scored") -> tuple[list[np.ndarray], Empties]:
    """Each row's values `(replicate, case, label)` with NaN in the same structures, and what the rule was applied to.

    Raises ValueError where the rows were not evaluated on the same cases.

    >>> cells = [("A", 1, 0, "a", "liver", "Dice", np.nan), ("B", 1, 0, "a", "liver", "Dice", 0.0)]
    >>> columns = ["row", "replicate", "fold", "case", "label", "metric", "value"]
    >>> rows = row_scores(pd.DataFrame(cells, columns=columns))
    >>> levelled, empties = on_equal_terms(list(rows.values()))
    >>> [values.item() for values in levelled], empties.one
    ([1.0, 0.0], 1)
    """
    require_equal_cases([row.cases for row in rows])
    right = np.concatenate([row.right for row in rows])
    unknown = np.stack([np.isnan(row.values).all(0) & ~row.right.any(0) for row in rows])
    empty, both = right.any(0), right.all(0)
    undefined = unknown.any(0) & ~unknown.all(0)
    unscored = undefined | both | (empty if rule == "left-out" else False)
    levelled = [np.where(unscored, np.nan, np.where(row.right, row.metric.absent, row.values)) for row in rows]
    one = empty & ~both & ~undefined
    return levelled, Empties(int(both.sum()), int(one.sum()), int(undefined.sum()))


def known_mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of what is known along an axis, NaN where nothing is.

    >>> known_mean(np.array([[0.5, np.nan], [np.nan, np.nan]]), 1).tolist()
    [0.5, nan]
    """
    count = (~np.isnan(values)).sum(axis)
    return np.where(count > 0, np.nansum(values, axis) / np.maximum(count, 1), np.nan)


def case_table(scores: Mapping[str, Scores], rule: EmptyRule = "scored") -> tuple[pd.DataFrame, Empties]:
    """Mean over classes, then replicates, a line per (fold, case), a column per row, all `on_equal_terms`.

    >>> cells = [("A", 1, 0, "a", "liver", "Dice", np.nan), ("B", 1, 0, "a", "liver", "Dice", 0.0)]
    >>> columns = ["row", "replicate", "fold", "case", "label", "metric", "value"]
    >>> rows = row_scores(pd.DataFrame(cells, columns=columns))
    >>> case_table(rows)[0].to_dict("list")
    {'A': [1.0], 'B': [0.0]}
    """
    levelled, empties = on_equal_terms(list(scores.values()), rule)
    columns = {row: known_mean(known_mean(values, 2), 0) for row, values in zip(scores, levelled, strict=True)}
    return pd.DataFrame(columns, index=next(iter(scores.values())).cases), empties


def replicate_table(scores: Mapping[str, Scores], rule: EmptyRule = "scored") -> pd.DataFrame:
    """The same with a line per (replicate, fold, case), of the replicates that all rows have.

    >>> cells = [(row, replicate, 0, "a", "liver", "Dice", 0.8) for row in "AB" for replicate in (1, 2)]
    >>> columns = ["row", "replicate", "fold", "case", "label", "metric", "value"]
    >>> rows = row_scores(pd.DataFrame(cells, columns=columns))
    >>> replicate_table(rows).index.tolist()
    [(1, 0, 'a'), (2, 0, 'a')]
    """
    levelled, _ = on_equal_terms(list(scores.values()), rule)
    shared = sorted(set.intersection(*(set(rows.replicates) for rows in scores.values())))
    made = {}
    for number in shared:
        made[number] = pd.DataFrame(
            {
                name: known_mean(values[rows.replicates.index(number)], 1)
                for (name, rows), values in zip(scores.items(), levelled, strict=True)
            },
            next(iter(scores.values())).cases,
        )
    return pd.concat(made, names=["replicate"])


def require_equal_cases(indices: Sequence[pd.MultiIndex]) -> None:
    """ValueError where two rows were not evaluated on the same cases.

    >>> require_equal_cases([pd.MultiIndex.from_tuples([(0, "a")]), pd.MultiIndex.from_tuples([(0, "a")])])
    """
    for index in indices[1:]:
        if index.equals(indices[0]):  # at once, which matters for thousands of pairs
            continue
        unpaired = index.symmetric_difference(indices[0])
        if len(unpaired):
            raise ValueError(
                f"{len(unpaired)} cases are in the results of one row only, for example (fold, case) = "
                f"{unpaired[0]}: compare trainers on the same folds of the same splits_final.json"
            )


def require_one_value_per_case(found: pd.DataFrame, row: str) -> None:
    """ValueError where a row of the table mixes data sets, plans or configurations.

    >>> cells = [(1, 0, "a", "liver", 0.8), (2, 0, "a", "liver", 0.9)]
    >>> found = pd.DataFrame(cells, columns=["replicate", "fold", "case", "label", "value"])
    >>> require_one_value_per_case(found, "A")
    """
    if found.duplicated(["replicate", "fold", "case", "label"]).any():
        models = sorted(set(zip(found["dataset"], found["plans"], found["configuration"], strict=True)))
        raise ValueError(
            f"{row!r} has more than one value per case (models {models}); "
            "collect one data set, plans and configuration at a time"
        )


def _seen_absent(table: pd.DataFrame, metric: str, known: Metric) -> dict[str, np.ndarray]:
    """By row, where no value means that there is nothing: a label map that cannot be read leaves no value, either."""
    witness = metric.replace(base_name(metric), known.counted_by) if known.counted_by else "Dice"
    values = {row: array for row, (array, *_) in _arrays(table, witness).items()}
    return {row: np.isnan(array) != bool(known.counted_by) for row, array in values.items()}


def _arrays(table: pd.DataFrame, metric: str) -> dict[str, tuple[np.ndarray, pd.MultiIndex, tuple[int, ...]]]:
    """Row -> values `(replicate, case, label)`, all labels in the table's order; cases, replicates; sorted."""
    found = table[table["metric"] == metric]
    labels = list(found["label"].unique())
    arrays = {}
    for row, part in found.groupby("row", sort=False):
        require_one_value_per_case(part, str(row))
        wide = part.pivot(index=["fold", "case"], columns=["replicate", "label"], values="value").sort_index()
        replicates = sorted(part["replicate"].unique())
        wide = wide.reindex(columns=pd.MultiIndex.from_product([replicates, labels]))
        array = wide.to_numpy(dtype=float).reshape(len(wide), len(replicates), len(labels))
        arrays[str(row)] = array.transpose(1, 0, 2), wide.index, tuple(replicates)
    return arrays
