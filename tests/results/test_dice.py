"""conventions: Dice as published scripts count it, against their rules written out plainly."""

from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
import SimpleITK
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from nnunetv2.evaluation.evaluate_predictions import compute_metrics

from nnunet_skipx.results.dice import CONVENTIONS, Convention, nnunet_dice, transunet_dice, udtransnet_dice
from tests.datasets import REAL_DATA, needs_real_data


@st.composite
def mask_pairs(draw: st.DrawFn, fewest_slices: int = 1, most_slices: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Reference and prediction `(z, y, x)`; empty volumes and empty slices are common."""
    shape = (draw(st.integers(fewest_slices, most_slices)), *draw(array_shapes(min_dims=2, max_dims=2, max_side=3)))
    kinds = st.one_of(arrays(bool, shape), st.just(np.zeros(shape, bool)))
    with_class = draw(arrays(bool, (2, shape[0], 1, 1)))  # by slice
    return draw(kinds) & with_class[0], draw(kinds) & with_class[1]


def nnunets_metrics(reference: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """What nnU-Net's evaluation notes of one class."""
    label_maps = {"reference": reference.astype(np.uint8), "prediction": prediction.astype(np.uint8)}
    reader = SimpleNamespace(read_seg=lambda name: (label_maps[name], {}))
    return compute_metrics("reference", "prediction", reader, [1])["metrics"][1]


def plain_dice(reference: np.ndarray, prediction: np.ndarray) -> float:
    """Of two masks of which one at least is not empty."""
    inside, guessed = set(zip(*reference.nonzero(), strict=True)), set(zip(*prediction.nonzero(), strict=True))
    return 2 * len(inside & guessed) / (len(inside) + len(guessed))


@given(mask_pairs())
def test_nnunets_rule_leaves_its_own_number_alone(masks: tuple[np.ndarray, np.ndarray]) -> None:
    expected = plain_dice(*masks) if masks[0].any() or masks[1].any() else np.nan
    np.testing.assert_equal(nnunet_dice(nnunets_metrics(*masks)), expected)


@given(mask_pairs())
def test_transunets_rule_is_that_of_its_script(masks: tuple[np.ndarray, np.ndarray]) -> None:
    reference, prediction = masks
    if reference.any() and prediction.any():
        expected = plain_dice(reference, prediction)
    elif prediction.any():
        expected = 1.0
    else:
        expected = 0.0
    assert transunet_dice(nnunets_metrics(reference, prediction)) == pytest.approx(expected, abs=1e-12)


@given(mask_pairs())
def test_transunets_rule_and_nnunets_differ_only_where_a_mask_is_empty(masks: tuple[np.ndarray, np.ndarray]) -> None:
    metrics = nnunets_metrics(*masks)
    if masks[0].any() and masks[1].any():
        assert transunet_dice(metrics) == nnunet_dice(metrics)
    elif masks[0].any():
        assert transunet_dice(metrics) == nnunet_dice(metrics) == 0
    else:
        assert transunet_dice(metrics) != nnunet_dice(metrics)


@given(mask_pairs())
def test_udtransnets_rule_is_the_mean_over_slices(masks: tuple[np.ndarray, np.ndarray]) -> None:
    by_slice = []
    for reference, prediction in zip(*masks, strict=True):
        neither = not reference.any() and not prediction.any()
        by_slice.append(1.0 if neither else plain_dice(reference, prediction))
    found = udtransnet_dice(*masks)
    assert found == pytest.approx(sum(by_slice) / len(by_slice), abs=1e-12)
    assert 0 <= found <= 1


@given(mask_pairs(most_slices=1))
def test_a_stack_of_one_slice_has_the_plain_dice(masks: tuple[np.ndarray, np.ndarray]) -> None:
    expected = plain_dice(*masks) if masks[0].any() or masks[1].any() else 1.0
    assert udtransnet_dice(*masks) == pytest.approx(expected, abs=1e-12)


@given(mask_pairs())
def test_udtransnets_rule_does_not_tell_reference_from_prediction(masks: tuple[np.ndarray, np.ndarray]) -> None:
    assert udtransnet_dice(*masks) == udtransnet_dice(*masks[::-1])
    assert udtransnet_dice(masks[0], masks[0]) == 1


@given(mask_pairs(), st.integers(1, 5))
def test_empty_slices_raise_udtransnets_dice_and_not_that_of_the_volume(
    masks: tuple[np.ndarray, np.ndarray], more: int
) -> None:
    padded = [np.pad(mask, ((0, more), (0, 0), (0, 0))) for mask in masks]
    slices = len(masks[0])
    assert udtransnet_dice(*padded) == pytest.approx((slices * udtransnet_dice(*masks) + more) / (slices + more))
    np.testing.assert_equal(nnunets_metrics(*padded)["Dice"], nnunets_metrics(*masks)["Dice"])


@given(array_shapes(min_dims=3, max_dims=3))
def test_two_empty_volumes_count_one_under_udtransnets_rule_only(shape: tuple[int, int, int]) -> None:
    empty = np.zeros(shape, bool)
    assert udtransnet_dice(empty, empty) == 1
    assert transunet_dice(nnunets_metrics(empty, empty)) == 0
    assert np.isnan(nnunet_dice(nnunets_metrics(empty, empty)))


def test_each_name_has_its_rule_and_says_whose_it_is() -> None:
    assert set(CONVENTIONS) == set(get_args(Convention))
    assert {name: (found.rule, found.slice_by_slice) for name, found in CONVENTIONS.items()} == {
        "nnunet": (nnunet_dice, False),
        "transunet": (transunet_dice, False),
        "udtransnet": (nnunet_dice, True),  # nnU-Net's numbers until those of the slices take their place
    }
    for script in ("nnU-Net", "TransUNet", "UDTransNet"):
        convention = next(found for name, found in CONVENTIONS.items() if name == script.replace("-", "").lower())
        assert f" as {script}" in convention.words


@pytest.fixture(scope="module")
def shifted_by_one() -> np.ndarray:
    """(per volume, slice by slice) Dice of each real case and class with itself, one voxel off along the last axis."""
    rows = []
    for path in sorted((REAL_DATA / "labelsTr").glob("hippocampus_*.nii.gz")):
        labels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
        shifted = np.zeros_like(labels)
        shifted[..., 1:] = labels[..., :-1]
        for label in (1, 2):
            masks = labels == label, shifted == label
            rows.append((nnunet_dice(nnunets_metrics(*masks)), udtransnet_dice(*masks)))
    return np.array(rows)


@needs_real_data
def test_slice_by_slice_the_same_error_scores_higher_on_real_labels(shifted_by_one: np.ndarray) -> None:
    assert len(shifted_by_one) >= 20
    per_volume, by_slice = shifted_by_one.T
    for label in (0, 1):
        assert by_slice[label::2].mean() > per_volume[label::2].mean() + 0.02, "the slices without the class count 1"


@needs_real_data
def test_a_shift_of_one_voxel_costs_real_labels_this_much(shifted_by_one: np.ndarray) -> None:
    if len(shifted_by_one) != 2 * 40:
        pytest.skip(f"the numbers are those of 40 cases of Task04_Hippocampus; here are {len(shifted_by_one) // 2}")
    assert shifted_by_one.mean(0).round(3).tolist() == [0.882, 0.917]
