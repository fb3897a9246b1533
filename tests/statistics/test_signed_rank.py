"""The Bayesian signed-rank test: as its definition says, written out in loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.statistics.signed_rank import DRAWS, PRIOR, signed_rank

DIFFERENCES = st.lists(st.integers(-50, 50).map(lambda n: n / 1000), min_size=1, max_size=8)


def by_its_definition(differences: list[float], rope: float, draws: int) -> np.ndarray:
    """Benavoli et al. 2017, section 4.2: weights of a Dirichlet process, every pair of observations asked."""
    rng, z = np.random.default_rng(1), np.array([0.0, *differences])
    won = np.zeros(3)
    for weight in rng.dirichlet([PRIOR, *[1.0] * len(differences)], draws):
        share = np.zeros(3)
        for i, one in enumerate(z):
            for j, other in enumerate(z):
                where = 0 if one + other < -2 * rope else 2 if one + other > 2 * rope else 1
                share[where] += weight[i] * weight[j]
        won[share.argmax()] += 1
    return won / draws


@pytest.mark.parametrize("seed", range(4))
def test_it_is_that_of_the_definition(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.004, 0.01, 7).tolist()
    found = signed_rank(differences, 0.003)
    expected = by_its_definition(differences, 0.003, 2000)
    np.testing.assert_allclose([found.worse, found.equivalent, found.better], expected, atol=0.05)


@given(DIFFERENCES)
def test_probabilities_sum_to_one_and_turn_with_the_sign(differences: list[float]) -> None:
    here, there = signed_rank(differences, 0.0035), signed_rank([-x for x in differences], 0.0035)
    assert here.worse + here.equivalent + here.better == pytest.approx(1)
    assert here.better == pytest.approx(there.worse, abs=5 / np.sqrt(DRAWS))
    assert here == signed_rank(differences[::-1], 0.0035), "seeded, whatever the order"


def test_what_is_far_apart_is_certain() -> None:
    assert signed_rank([0.02] * 20, 0.003).better == 1
    assert signed_rank([0.0] * 20, 0.003).equivalent == 1
    assert signed_rank([-0.02] * 20, 0.003).worse == 1
