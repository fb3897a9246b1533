"""Covariates: an F-test beside the folds, on ranks; thirds and categories in their order."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from nnunet_skipx.statistics.covariates import categories, dependence

FOLDS = [case % 5 for case in range(60)]


def difference(seed: int = 0, cases: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.01, cases)


@pytest.mark.parametrize("covariate", ["age", "centre"])
def test_it_is_the_f_test_of_statsmodels_beside_the_folds(covariate: str) -> None:
    rng = np.random.default_rng(1)
    ages, centres = pd.Series(rng.normal(60, 10, 60)), pd.Series(rng.choice(["a", "b", "c"], 60))
    lines = pd.DataFrame({"y": difference(), "fold": FOLDS, "age": ages.rank(), "centre": centres})
    lines["y"] = lines["y"].rank()
    table = anova_lm(ols(f"y ~ C(fold) + {covariate}", lines).fit(), typ=2)
    found = dependence(difference(), {"age": ages, "centre": centres}[covariate], FOLDS)
    assert found.p == pytest.approx(table.loc[covariate, "PR(>F)"])


@given(st.integers(0, 30), st.floats(0.1, 10), st.floats(-5, 5))
def test_only_the_order_of_numbers_matters(seed: int, factor: float, shift: float) -> None:
    ages = pd.Series(np.random.default_rng(seed).integers(20, 90, 60).astype(float))
    plain, bent = (dependence(difference(seed), covariate, FOLDS).p for covariate in (ages, factor * ages**3 + shift))
    assert plain == pytest.approx(bent)


def test_the_luck_of_a_folds_network_is_not_the_covariates() -> None:
    lucky = difference() + 0.05 * np.array(FOLDS)
    by_fold = pd.Series([f"scanner {fold}" for fold in FOLDS])
    assert np.isnan(dependence(lucky, by_fold, FOLDS).p), "which of the two it is, nothing tells"
    nearly = pd.Series(np.array(FOLDS) + np.random.default_rng(2).normal(0, 0.2, 60))
    assert dependence(lucky, nearly, FOLDS).p > 0.05
    assert dependence(lucky, nearly, [0] * 60).p < 1e-6, "which it would be without the folds"


def test_patients_count_once_unless_the_covariate_varies_within_them() -> None:
    patients = [f"p{case // 2}" for case in range(60)]
    folds = [case // 2 % 5 for case in range(60)]
    centre = pd.Series(["a" if case // 2 % 3 else "b" for case in range(60)])
    phase = pd.Series(["ED", "ES"] * 30)
    constant, varying = (dependence(difference(), covariate, folds, patients) for covariate in (centre, phase))
    assert (constant.n, constant.within_patients) == (30, False)
    assert (varying.n, varying.within_patients) == (60, True)
    shifted = np.where(phase == "ED", 0.02, 0.0) + np.repeat(difference(3, 30), 2)
    assert dependence(shifted + difference() / 50, phase, folds, patients).p < 1e-6


def test_of_patients_who_are_in_two_folds_the_luck_of_the_folds_is_not_the_covariates() -> None:
    patients = [f"p{case // 2}" for case in range(60)]  # neighbours are in neighbouring folds
    lucky = difference() + 0.05 * np.array(FOLDS)
    nearly = pd.Series([f"scanner {fold}" for fold in FOLDS])
    assert np.isnan(dependence(lucky, nearly, FOLDS, patients).p)


def test_where_little_is_known_nothing_is_tested() -> None:
    ages = pd.Series(np.arange(60.0))
    known = np.where(np.arange(60) < 8, difference(), np.nan)
    assert np.isnan(dependence(known, ages, FOLDS).p)
    assert np.isnan(dependence(difference(), pd.Series(["a"] * 60), FOLDS).p)
    assert dependence(np.zeros(60), ages, FOLDS).p == 1


@given(st.lists(st.integers(0, 1000), min_size=6, max_size=60, unique=True))
def test_thirds_are_in_order_and_hold_every_case(values: list[int]) -> None:
    numbers = pd.Series(values, dtype=float)
    found = categories(numbers)
    assert len(found.cat.categories) == 3 and not found.isna().any()
    sizes = found.value_counts()
    assert sizes.max() - sizes.min() <= 1
    ends = numbers.groupby(found.cat.codes).agg(["min", "max"])
    assert (ends["max"].to_numpy()[:-1] < ends["min"].to_numpy()[1:]).all()


def test_few_numbers_are_categories_of_their_own() -> None:
    assert categories(pd.Series([3.0, 1.5, 3.0, 2.0])).cat.categories.tolist() == ["1.5", "2", "3"]
    mostly_equal = pd.Series([1.0] * 20 + [2.0, 3, 4, 5, 6, 7])
    assert not categories(mostly_equal).isna().any()
