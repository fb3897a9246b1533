"""Masks in boxes are the whole masks, cut where both end."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.results.masks import boxed_masks, scored_masks
from tests.results.test_case_metrics import IGNORE, ISOTROPIC, LABELS, PROPERTY, pairs


@PROPERTY
@given(pairs(), st.sampled_from([None, IGNORE]))
def test_a_box_holds_all_of_both_masks_and_ends_where_they_do(pair: np.ndarray, ignore_label: int | None) -> None:
    arguments = (*pair.astype(np.float32), ISOTROPIC, LABELS | {9: "absent"}, ignore_label)
    for (name, whole, steps), (again, boxed, same) in zip(
        scored_masks(*arguments), boxed_masks(*arguments), strict=True
    ):
        assert (name, steps) == (again, same)
        either = whole[0] | whole[1]
        if not either.any():
            assert boxed[0].size == boxed[1].size == 0
            continue
        box = tuple(slice(places.min(), places.max() + 1) for places in np.nonzero(either))
        for mask, cut in zip(whole, boxed, strict=True):
            np.testing.assert_array_equal(cut, mask[box])
