"""Holm's adjustment: that of statsmodels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.statistics.adjustment import holm

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(P_VALUES)
@pytest.mark.slow
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests

    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1], rtol=1e-12, atol=1e-300)


@given(P_VALUES, st.integers(0, 12))
def test_holm_does_not_count_comparisons_that_could_not_be_made(p_values: list[float], place: int) -> None:
    place = min(place, len(p_values))
    adjusted = holm([*p_values[:place], np.nan, *p_values[place:]])
    assert np.isnan(adjusted[place])
    np.testing.assert_array_equal(np.delete(adjusted, place), holm(p_values))
