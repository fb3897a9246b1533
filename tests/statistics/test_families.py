"""Families of networks: tests of textbooks, in which networks are the sample, and no word where they are few."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp, ttest_ind

from benchmarks.family_rates import false_claims
from nnunet_skipx.statistics.adjustment import holm
from nnunet_skipx.statistics.families import family_contrasts

MEANS = st.lists(st.floats(0.5, 0.9), min_size=4, max_size=8).filter(lambda values: np.std(values) > 1e-4)
GATED = frozenset({"attention"})


def networks(having: list[float], lacking: list[float]) -> tuple[dict[str, frozenset[str]], dict[str, float]]:
    members = {f"with{n}": GATED for n in range(len(having))} | {f"no{n}": frozenset() for n in range(len(lacking))}
    return members, dict(zip(members, [*having, *lacking], strict=True))


@given(MEANS, MEANS)
def test_between_networks_it_is_welchs_test(having: list[float], lacking: list[float]) -> None:
    (found,) = family_contrasts(*networks(having, lacking), {}, rope=0.003)
    expected = ttest_ind(having, lacking, equal_var=False)
    interval = expected.confidence_interval()
    assert (found.value, found.p) == pytest.approx((np.mean(having) - np.mean(lacking), expected.pvalue), abs=1e-9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-9)


@given(st.lists(st.floats(-0.1, 0.1), min_size=3, max_size=8).filter(lambda values: np.std(values) > 1e-4))
def test_within_networks_it_is_the_paired_test(differences: list[float]) -> None:
    pairs = {"attention": {str(number): value for number, value in enumerate(differences)}}
    (found,) = family_contrasts({}, {}, pairs, rope=0.003)
    expected = ttest_1samp(differences, 0)
    assert (found.value, found.p) == pytest.approx((np.mean(differences), expected.pvalue), abs=1e-9)


def test_all_lines_are_adjusted_together() -> None:
    having, lacking, differences = [0.8, 0.82, 0.83, 0.85], [0.7, 0.72, 0.76, 0.79], [0.02, 0.03, 0.025]
    pairs = {"attention": {str(number): value for number, value in enumerate(differences)}}
    found = family_contrasts(*networks(having, lacking), pairs, rope=0.003)
    alone = [ttest_ind(having, lacking, equal_var=False).pvalue, ttest_1samp(differences, 0).pvalue]
    assert [one.p for one in found] == pytest.approx(holm(alone).tolist())
    assert [one.verdict for one in found] == ["better", "better"]


@pytest.mark.parametrize(("having", "lacking"), [(3, 9), (9, 3), (1, 1)])
def test_of_few_networks_nothing_is_said(having: int, lacking: int) -> None:
    (found,) = family_contrasts(*networks([0.9] * having, [0.5] * lacking), {"attention": {"a": 0.4}}, 0.003)[:1]
    assert found.verdict == "undecided"
    assert np.isnan([found.low, found.high, found.p, found.outside]).all()
    assert found.value == pytest.approx(0.4)


def test_what_all_networks_have_is_not_compared() -> None:
    members = {str(number): GATED for number in range(9)}
    assert family_contrasts(members, dict.fromkeys(members, 0.8), {}, rope=0.003) == []


@pytest.mark.parametrize("scatter", [1.0, 3.0, 1 / 3])
@pytest.mark.parametrize(("having", "lacking"), [(4, 4), (4, 7)])
def test_an_ingredient_that_does_nothing_is_rarely_claimed(having: int, lacking: int, scatter: float) -> None:
    assert false_claims(having, lacking, scatter, studies=1000) < 0.075  # 6 %, and what 1,000 studies scatter
