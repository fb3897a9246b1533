"""sampling: every domain has its share of an epoch, spread evenly over it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.universal.sampling import Sampling, domain_order, iterations_per_domain

CASES = st.lists(st.integers(1, 500), min_size=1, max_size=8)
SAMPLINGS: list[Sampling] = ["round_robin", "sqrt", "proportional"]


@given(CASES, st.sampled_from(SAMPLINGS), st.integers(1, 60))
def test_an_epoch_has_its_iterations_and_forgets_no_domain(cases: list[int], sampling: Sampling, each: int) -> None:
    iterations = iterations_per_domain(cases, sampling, each)
    assert sum(iterations) == each * len(cases)
    assert min(iterations) >= 1


@given(CASES, st.sampled_from(SAMPLINGS), st.integers(1, 60))
def test_more_cases_never_mean_fewer_iterations(cases: list[int], sampling: Sampling, each: int) -> None:
    ranked = sorted(zip(cases, iterations_per_domain(cases, sampling, each), strict=True))
    assert all(later[1] >= earlier[1] - 1 for earlier, later in pairwise(ranked))


def test_the_samplings_differ_as_their_names_say() -> None:
    assert iterations_per_domain([10, 90], "round_robin", 50) == [50, 50]
    assert iterations_per_domain([10, 90], "proportional", 51) == [11, 91]
    assert iterations_per_domain([10, 90], "sqrt", 51) == [26, 76]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_each_domain_comes_as_often_as_asked_for_and_evenly(iterations: list[int]) -> None:
    order = domain_order(iterations)
    assert [order.count(domain) for domain in range(len(iterations))] == iterations
    for domain, count in enumerate(iterations):
        for end in range(len(order) + 1):
            expected = count * end / len(order)
            assert abs(order[:end].count(domain) - expected) <= (len(iterations) + 1) / 2


def test_equal_shares_are_a_round_robin() -> None:
    assert domain_order([3, 3, 3]) == [0, 1, 2] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1], "random", 5), "sampling must be one of round_robin, sqrt, proportional, got 'random'"),
        (([3, 0], "sqrt", 5), "must be positive"),
        (([3], "sqrt", 0), "must be positive"),
        (([], "sqrt", 1), "must be positive"),
    ],
)
def test_what_cannot_be_sampled_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        iterations_per_domain(*arguments)


def test_a_domain_with_one_turn_has_it_in_the_middle_of_the_epoch() -> None:
    assert domain_order([1, 4]) == [1, 1, 0, 1, 1]
