"""Every pair of rows: one p and one verdict each, whatever the order of the rows."""

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from nnunet_skipx.statistics.adjustment import holm
from nnunet_skipx.statistics.contrasts import contrasts
from nnunet_skipx.statistics.scores import row_scores
from nnunet_skipx.statistics.significance import significance
from tests.statistics.test_scores import table_of

ROWS = "abcd"


def scores(seed: int, gains: tuple[float, ...] = (0, 0, 0, 0), cases: int = 40) -> dict[str, np.ndarray]:
    """Rows alike within a case, as some cases are hard."""
    rng = np.random.default_rng(seed)
    difficulty = rng.beta(6, 1.5, cases)
    return {row: difficulty + gain + rng.normal(0, 0.02, cases) for row, gain in zip(ROWS, gains, strict=True)}


def test_the_line_of_the_better_row_has_a_plus() -> None:
    found = significance(row_scores(table_of(scores(1, (0, 0, 0.1, -0.1)))))
    assert found.sign.loc["c"].tolist() == [1, 1, 0, 1] and found.sign.loc["d"].tolist() == [-1, -1, -1, 0]
    assert found.sign.at["a", "b"] == 0
    np.testing.assert_array_equal(found.sign, -found.sign.T)
    np.testing.assert_array_equal(found.p, found.p.T)
    assert np.isnan(np.diag(found.p)).all()


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = row_scores(table_of(scores(2, (0, 0.01, 0.02, 0))))
    here, there = significance(rows), significance({row: rows[row] for row in reversed(ROWS)})
    assert_frame_equal(here.p, there.p.loc[list(ROWS), list(ROWS)])
    assert_frame_equal(here.sign, there.sign.loc[list(ROWS), list(ROWS)])


def test_a_pair_that_was_compared_before_keeps_its_p_and_the_others_are_adjusted_among_themselves() -> None:
    table = table_of(scores(3, (0, 0.01, 0.02, 0.03)))
    made = contrasts(table, "a")
    found = significance(row_scores(table), made)
    assert [found.p.at["a", c.row] for c in made] == [c.p for c in made]
    raw = [contrasts(table, first)["abcd".index(other) - 1] for first, other in ("bc", "bd", "cd")]
    assert [(c.row, c.against) for c in raw] == [("c", "b"), ("d", "b"), ("d", "c")]
    others = [found.p.at[c.against, c.row] for c in raw]
    assert others == pytest.approx(holm([c.difference.p for c in raw]).tolist())


def test_rows_that_are_equal_differ_in_nothing() -> None:
    same = np.random.default_rng(4).random(40)
    assert (significance(row_scores(table_of({"a": same, "b": same}))).sign == 0).all(axis=None)


@pytest.mark.slow
def test_of_equally_good_rows_six_studies_in_a_hundred_at_most_tell_some_apart() -> None:
    wrong = [(significance(row_scores(table_of(scores(seed)))).sign != 0).any(axis=None) for seed in range(300)]
    assert 0 < np.mean(wrong) <= 0.06
