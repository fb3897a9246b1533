"""Verdicts in simulated studies: seldom wrong, whatever the luck of the trainings."""

import pytest

from benchmarks.verdict_rates import (
    CASES,
    REPLICATES,
    SEED_SDS,
    TEST_SET,
    TRAINED_SD,
    coverage,
    error_table,
    false_claims,
    false_claims_of_cases_alone,
    false_equivalences,
    paired_studies,
)

pytestmark = pytest.mark.slow
STUDIES = 4000


@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("replicates", REPLICATES)
@pytest.mark.parametrize("seed_sd", SEED_SDS)
def test_six_studies_in_a_hundred_at_most_claim_what_is_not(cases: int, replicates: int, seed_sd: float) -> None:
    assert false_claims(cases, replicates, seed_sd, STUDIES) <= 0.06
    assert false_equivalences(cases, replicates, seed_sd, STUDIES) <= 0.06


@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("replicates", REPLICATES[1:3])
@pytest.mark.parametrize("seed_sd", SEED_SDS)
def test_nor_do_they_on_a_test_set_that_one_ensemble_predicts(cases: int, replicates: int, seed_sd: float) -> None:
    assert false_claims(cases, replicates, seed_sd, STUDIES, TEST_SET) <= 0.065
    assert false_equivalences(cases, replicates, seed_sd, STUDIES, TEST_SET) <= 0.06


@pytest.mark.parametrize(
    ("shape", "cases", "least"),
    [
        ("Dice, skewed", 10, 0.93),
        ("Dice, skewed", 40, 0.95),
        ("Dice, 10 % missed", 40, 0.93),
        ("Dice, 5 % missed", 100, 0.94),
        ("Dice, in 30 % of cases", 40, 0.95),
        ("HD95, log-normal", 40, 0.9),
        ("difference, skewed", 40, 0.94),
    ],
)
def test_intervals_cover_what_they_promise(shape: str, cases: int, least: float) -> None:
    assert coverage(shape, cases, studies=STUDIES)[0] >= least


@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("replicates", REPLICATES)
def test_means_cover_the_luck_of_the_trainings(cases: int, replicates: int) -> None:
    assert 0.935 <= coverage("Dice, skewed", cases, replicates, TRAINED_SD, STUDIES)[0] <= 0.985


def test_a_difference_that_is_there_is_found_more_often_with_replicates() -> None:
    found = [(paired_studies(40, replicates, 0.002, 0.008, 1000).p() < 0.05).mean() for replicates in (1, 3)]
    assert found[0] > 0.3 and found[1] > found[0] + 0.2


def test_a_test_of_the_cases_alone_claims_too_much() -> None:
    assert false_claims_of_cases_alone(260, 0.0, 1000) < 0.07
    assert false_claims_of_cases_alone(260, 0.004, 1000) > 0.4, "what is guarded against is there"


def test_the_table_has_a_line_per_size() -> None:
    assert len(error_table(10)) == 2 + len(CASES) * (len(REPLICATES) + 1)
    assert len(error_table(10, TEST_SET)) == 2 + len(CASES) * (len(REPLICATES) - 1)
