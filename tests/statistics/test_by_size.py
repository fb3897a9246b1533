"""Dice by size: thirds within each class, and p adjusted over all of them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.statistics.by_size import KEYS, THIRDS, size_rows
from nnunet_skipx.statistics.contrasts import contrasts

CASES, FOLDS = 60, 5
COLUMNS = ["row", "replicate", "fold", "case", "label", "metric", "value"]


def study(rows: dict[str, np.ndarray], labels: tuple[str, ...] = ("liver", "tumour")) -> pd.DataFrame:
    """A tidy table of values (case, label) by row."""
    cells = [
        (row, 1, case % FOLDS, case, label, "Dice", values[case, number])
        for row, values in rows.items()
        for case in range(CASES)
        for number, label in enumerate(labels)
    ]
    return pd.DataFrame(cells, columns=COLUMNS)


def sizes_of(table: pd.DataFrame, size: np.ndarray) -> pd.DataFrame:
    first = table["row"] == table["row"].iloc[0]
    return table.loc[first, KEYS].assign(size=size.ravel())


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.01, (CASES, 2))


SIZES = np.random.default_rng(0).permutation(CASES)[:, None] * np.array([1.0, 100.0]) + 1


def test_a_row_that_fails_on_small_structures_only_is_found_out() -> None:
    small = np.quantile(SIZES, 1 / 3, axis=0) >= SIZES
    table = study({"A": 0.8 + noise(1), "B": 0.8 + noise(2) - 0.2 * small})
    found = {
        line.third: line.contrast for line in size_rows(table, sizes_of(table, SIZES), "A", 0.003) if line.contrast
    }
    assert [found[third].verdict for third in THIRDS] == ["worse", "undecided", "undecided"]
    assert found["small"].difference.interval.value == pytest.approx(-0.2, abs=0.01)


def test_thirds_are_of_each_class_and_name_their_sizes() -> None:
    table = study({"A": 0.8 + noise(1), "B": 0.8 + noise(2)})
    lines = size_rows(table, sizes_of(table, SIZES), "A", 0.003)
    assert [(line.third, line.row) for line in lines] == [(third, row) for third in THIRDS for row in "AB"]
    assert {line.structures for line in lines} == {2 * CASES // 3}
    assert [(lines[0].low, lines[0].high), (lines[-1].low, lines[-1].high)] == [(1, 1901), (41, 5901)]
    values = table["value"].to_numpy().reshape(2, CASES, 2)[0]
    large = np.quantile(SIZES, 2 / 3, axis=0) < SIZES
    by_case = [values[case][large[case]].mean() for case in range(CASES) if large[case].any()]
    assert lines[-2].mean.value == pytest.approx(np.mean(by_case))
    assert lines[-2].mean.n == len(by_case)


@given(st.integers(0, 1000))
def test_the_order_of_lines_and_the_unit_do_not_matter(seed: int) -> None:
    table = study({"A": 0.8 + noise(1), "B": 0.8 + noise(2)})
    sizes = sizes_of(table, SIZES)
    plain = size_rows(table, sizes, "A", 0.003)
    shuffled = sizes.assign(size=sizes["size"] / 1000).sample(frac=1, random_state=seed)
    for one, other in zip(plain, size_rows(table, shuffled, "A", 0.003), strict=True):
        assert (one.mean, one.structures) == (other.mean, other.structures)
        assert one.low == pytest.approx(1000 * other.low)


def test_p_are_adjusted_over_rows_and_thirds() -> None:
    table = study({"A": 0.8 + noise(1), "B": 0.804 + noise(2), "C": 0.804 + noise(3)})
    sizes = sizes_of(table, SIZES)
    both = [line.contrast for line in size_rows(table, sizes, "A", 0.003) if line.contrast]
    assert {contrast.comparisons for contrast in both} == {6}
    smallest = min(both, key=lambda contrast: contrast.p)
    assert smallest.p == pytest.approx(min(1, 6 * smallest.difference.p))
    without = table[table["row"] != "C"]
    three = [line.contrast for line in size_rows(without, sizes, "A", 0.003) if line.contrast]
    assert {contrast.comparisons for contrast in three} == {3}


def test_of_three_copies_of_one_size_there_are_no_thirds_and_of_few_cases_no_intervals() -> None:
    table = study({"A": 0.8 + noise(1), "B": 0.8 + noise(2)})
    assert size_rows(table, sizes_of(table, np.ones((CASES, 2))), "A", 0.003) == []
    few = table[table["case"] < 17]
    assert size_rows(few, sizes_of(few, SIZES[:17]), "A", 0.003) == []
    enough = table[table["case"] < 18]
    assert size_rows(enough, sizes_of(enough, SIZES[:18]), "A", 0.003)


def test_a_whole_study_of_one_third_has_the_differences_of_the_whole() -> None:
    """Equality with the contrasts of the table that holds one third alone."""
    table = study({"A": 0.8 + noise(1), "B": 0.79 + noise(2)})
    sizes = sizes_of(table, SIZES)
    large = sizes[sizes.groupby("label")["size"].rank(pct=True) > 2 / 3]
    alone = table.merge(large[KEYS], on=KEYS)
    (whole,) = contrasts(alone, "A")
    found = next(
        line.contrast for line in size_rows(table, sizes, "A", 0.003) if line.third == "large" and line.contrast
    )
    assert found.difference.interval == whole.difference.interval
    assert found.difference.p == whole.difference.p
