"""What stands beside the verdicts is seldom wrong, or the docs say how often it is."""

import pytest

from benchmarks.claim_rates import (
    certain_signed_ranks,
    claim_table,
    false_claims_over_datasets,
    false_dependences,
    false_failures,
    false_noninferiority,
    missed_ranks,
    pooled_table,
    small_probabilities,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("cases", [40, 260])
@pytest.mark.parametrize("replicates", [1, 3])
@pytest.mark.parametrize("seed_sd", [0.0, 0.002, 0.004])
def test_a_row_that_is_worse_by_the_margin_is_seldom_shown_not_to_be(
    cases: int, replicates: int, seed_sd: float
) -> None:
    assert false_noninferiority(cases, replicates, seed_sd, 4000) <= 0.033
    assert small_probabilities(cases, replicates, seed_sd, 4000) <= 0.12, "a probability of 0.05 for each of two rows"


@pytest.mark.parametrize("seed_sd", [0.0, 0.004])
def test_the_luck_of_trainings_is_no_dependence_and_moves_no_rank(seed_sd: float) -> None:
    assert false_dependences(100, seed_sd, 400) <= 0.08
    assert missed_ranks(60, seed_sd, 150) <= 0.08


def test_the_signed_rank_test_and_mcnemars_take_luck_for_a_difference_and_the_docs_say_so() -> None:
    assert certain_signed_ranks(40, 0.0, 150) <= 0.12
    assert certain_signed_ranks(260, 0.004, 50) > 0.3
    assert false_failures(100, 0.0, 400) <= 0.06


@pytest.mark.parametrize("datasets", [2, 3, 10])
def test_equal_rows_are_seldom_called_better_over_data_sets(datasets: int) -> None:
    for between in (0.0, 0.005):
        assert false_claims_over_datasets(datasets, between, 300) <= 0.085


def test_the_tables_have_a_line_for_every_claim() -> None:
    assert len(claim_table(20, 2)) == 4 + 2 * 7
    assert len(pooled_table(2)) == 4 + 4
