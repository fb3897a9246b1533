"""Non-inferiority: the lower end of the interval, seldom shown where it is not, and never without ground."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.statistics.contrasts import contrasts
from nnunet_skipx.statistics.noninferiority import noninferiority
from tests.statistics.test_scores import false_positives, table_of
from tests.statistics.test_verdict import scores, shifted


@given(st.integers(0, 50), st.floats(0.0005, 0.02))
def test_it_is_shown_where_the_interval_lies_above_minus_the_margin(seed: int, margin: float) -> None:
    rng = np.random.default_rng(seed)
    one = rng.beta(40, 5, 30)
    found = contrasts(table_of({"A": one, "B": one + rng.normal(0, 0.01, 30)}), "A")
    (claim,) = noninferiority(found, margin)
    assert claim.shown == (found[0].difference.interval.low > -margin)
    assert claim.p == found[0].difference.p_below(-margin)


def test_a_worse_row_may_be_within_the_margin_and_a_better_one_always_is() -> None:
    rows = {"A": scores(), "B": shifted(-0.004, 0.003), "C": shifted(0.01, 0.003), "D": shifted(-0.02, 0.003)}
    found = contrasts(table_of(rows), "A")
    assert [contrast.verdict for contrast in found] == ["worse", "better", "worse"]
    assert [claim.shown for claim in noninferiority(found, 0.01)] == [True, True, False]


def test_it_is_adjusted_over_the_comparisons_with_the_baseline_only() -> None:
    rows = {"A": scores(), "B": shifted(0, 0.01), "C": shifted(0.001, 0.02)}
    found = contrasts(table_of(rows), "A", twins=[("C", "B")])
    claims = noninferiority(found, 0.01)
    assert [(claim.row, claim.comparisons) for claim in claims] == [("B", 2), ("C", 2)]
    for claim in claims:
        assert claim.difference.p_below(-0.01) <= claim.p <= 2 * claim.difference.p_below(-0.01)


def test_without_ground_nothing_is_shown() -> None:
    few = table_of({"A": scores(5), "B": shifted(0.1, 0.001, 5)})
    same = table_of({"A": scores(), "B": scores()})
    single = table_of({"A": scores(), "B": shifted(0.1, 0.001)}, folds=1)
    for table, reason in ((few, "few cases"), (same, "no scatter"), (single, "one training")):
        (claim,) = noninferiority(contrasts(table, "A"), 0.01)
        assert (claim.shown, claim.reason) == (False, reason)


def test_what_empty_structures_would_decide_is_not_shown() -> None:
    found = contrasts(false_positives(0.001), "B")  # A invents nothing, B does
    (claim,) = noninferiority(contrasts(false_positives(0.001), "A"), 0.01)
    assert found[0].empties.one and (claim.shown, claim.reason) in ((False, "empty structures"), (False, ""))


def test_where_one_row_finds_nothing_anywhere_its_rightness_decides_and_nothing_is_shown() -> None:
    """By the other rule there is no case left, and no p."""
    nothing = table_of({"A": scores(), "B": np.full(len(scores()), np.nan)})
    (claim,) = noninferiority(contrasts(nothing, "A"), 0.01)
    assert claim.p < 0.025 and (claim.shown, claim.reason) == (False, "empty structures")


def test_what_has_no_p_is_not_counted() -> None:
    rows = {"A": scores(), "B": shifted(0, 0.01), "C": scores()}
    found = contrasts(table_of(rows), "A")
    assert [contrast.comparisons for contrast in found] == [1, 1], "C does not scatter around A"
    assert found[0].p == found[0].difference.p
    assert [claim.comparisons for claim in noninferiority(found, 0.01)] == [1, 1]
