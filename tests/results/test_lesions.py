"""Lesions: perfect for equal maps, equal to a naive rendering, and nobody has all of them by flooding the image."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nnunet_skipx.results.lesions import LESIONS, LesionRule, lesion_metrics

NAN = float("nan")
ISOTROPIC = (1.0, 1.0, 1.0)
THRESHOLDS = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75])
SHAPES = st.tuples(st.just(2), *[st.integers(1, 6)] * 3)


def pairs() -> st.SearchStrategy[np.ndarray]:
    """Two masks of one shape, mostly background, so that there are several lesions."""
    return SHAPES.flatmap(lambda shape: arrays.arrays(bool, shape, elements=st.booleans(), fill=st.just(False)))


def lines(*signs: str) -> list[np.ndarray]:
    """A mask of one line for each word, with `#` where there is a lesion."""
    return [np.array([[[sign == "#" for sign in word]]]) for word in signs]


def lesions_of(mask: np.ndarray) -> list[set[tuple[int, ...]]]:
    """Naively: sets of voxels that touch, grown one voxel at a time."""
    left, found = {tuple(index) for index in np.argwhere(mask)}, []
    while left:
        lesion, border = set(), {left.pop()}
        while border:
            lesion |= border
            border = {voxel for voxel in left if any(np.abs(np.subtract(voxel, other)).max() <= 1 for other in border)}
            left -= border
        found.append(lesion)
    return found


def naive(reference: np.ndarray, prediction: np.ndarray, threshold: float) -> dict[str, float]:
    """Every way to match tried: that with the most pairs, then the largest sum of IoUs."""
    one, other = lesions_of(reference), lesions_of(prediction)
    few, many = sorted((one, other), key=len)
    best = (0, 0.0)
    for chosen in permutations(many, len(few)):
        ious = [len(a & b) / len(a | b) for a, b in zip(few, chosen, strict=True)]
        kept = [iou for iou in ious if iou > threshold]
        best = max(best, (len(kept), sum(kept)))
    tp, total = best
    fp, fn = len(other) - tp, len(one) - tp
    f1 = 2 * tp / (2 * tp + fp + fn) if one or other else NAN
    sq = total / tp if tp else NAN
    pq = (f1 * sq if tp else 0.0) if one or other else NAN
    return dict(zip(LESIONS, (f1, sq, pq, tp / len(one) if one else NAN, fp), strict=True))


@given(pairs(), THRESHOLDS)
def test_equal_to_a_naive_rendering(pair: np.ndarray, threshold: float) -> None:
    if max(len(lesions_of(mask)) for mask in pair) <= 6:
        found = lesion_metrics(*pair, ISOTROPIC, LesionRule(threshold))
        np.testing.assert_allclose(list(found.values()), list(naive(*pair, threshold).values()), rtol=1e-12)


@given(arrays.arrays(bool, SHAPES.map(lambda shape: shape[1:])), THRESHOLDS)
def test_a_map_agrees_perfectly_with_itself(mask: np.ndarray, threshold: float) -> None:
    found = lesion_metrics(mask, mask, ISOTROPIC, LesionRule(threshold))
    expected = [1, 1, 1, 1, 0] if mask.any() else [NAN, NAN, NAN, NAN, 0]
    np.testing.assert_equal(list(found.values()), expected)


@given(pairs(), THRESHOLDS, st.sampled_from(["flip", "turn", "swap"]))
def test_the_order_in_which_lesions_are_numbered_does_not_matter(
    pair: np.ndarray, threshold: float, change: str
) -> None:
    rule = LesionRule(threshold)
    plain = lesion_metrics(*pair, ISOTROPIC, rule)
    changed = {"flip": pair[:, ::-1, ::-1, ::-1], "turn": pair.transpose(0, 3, 1, 2), "swap": pair[::-1]}[change]
    again = lesion_metrics(*changed, ISOTROPIC, rule)
    for name in LESIONS[:3] if change == "swap" else LESIONS:
        np.testing.assert_allclose(again[name], plain[name], rtol=1e-12)


def test_a_flooded_image_and_a_voxel_per_lesion_find_nothing() -> None:
    reference, few = np.zeros((10, 40, 40), bool), np.zeros((10, 40, 40), bool)
    for y in (5, 15, 25, 35):
        reference[4:6, y : y + 3, 5:8] = few[4, y, 5] = True
    flooded = lesion_metrics(reference, np.ones_like(reference), ISOTROPIC, LesionRule())
    assert flooded["lesion F1"] == flooded["lesion PQ"] == flooded["lesion sensitivity"] == 0
    assert flooded["lesion FP"] == 1
    any_voxel = lesion_metrics(reference, np.ones_like(reference), ISOTROPIC, LesionRule(iou=0))
    assert any_voxel["lesion F1"] == 2 / 5 and any_voxel["lesion sensitivity"] == 1 / 4, "one partner, no more"
    touched = lesion_metrics(reference, few, ISOTROPIC, LesionRule())
    assert (touched["lesion F1"], touched["lesion FP"]) == (0, 4)
    assert lesion_metrics(reference, few, ISOTROPIC, LesionRule(iou=0))["lesion F1"] == 1


@pytest.mark.parametrize(
    ("reference", "prediction", "iou", "f1", "sq", "fp"),
    [
        ("##..##", "##..##", 0.5, 1, 1, 0),
        ("##..##", ".#..#.", 0.5, 0, NAN, 2),
        ("##..##", ".#..#.", 0.4, 1, 0.5, 0),
        ("###.##", "######", 0.4, 2 / 3, 0.5, 0),
        ("######", "###.##", 0.4, 2 / 3, 0.5, 1),
        ("##....", "....##", 0.0, 0, NAN, 1),
        # The pair of the largest IoU (0.5) would leave the two others without partner; two pairs are more.
        ("####.##", "..##...", 0.1, 2 / 3, 0.5, 0),
        (".####.#.", "###.####", 0.0, 1, (2 / 5 + 1 / 4) / 2, 0),
    ],
    ids=["equal", "half is not above half", "half", "merged", "split", "beside", "one missed", "most pairs"],
)
def test_lesions_are_matched_one_to_one(
    reference: str, prediction: str, iou: float, f1: float, sq: float, fp: int
) -> None:
    found = lesion_metrics(*lines(reference, prediction), ISOTROPIC, LesionRule(iou))
    assert found["lesion F1"] == pytest.approx(f1)
    assert found["lesion SQ"] == pytest.approx(sq, nan_ok=True)
    assert found["lesion FP"] == fp


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.5, 1.0), (0.1, 10.0, 3.0), (1.0, 1.0, 1.5)])
def test_the_smallest_volume_is_in_mm3_and_counts(spacing: Sequence[float]) -> None:
    reference, prediction = lines("##..###..#", "##..###.#.")
    voxel = float(np.prod(spacing))
    counted = [
        lesion_metrics(reference, prediction, spacing, LesionRule(0.5, volume * voxel))
        for volume in (0, 1, 1.5, 2, 2.5, 3, 4)
    ]
    assert [found["lesion FP"] for found in counted] == [1, 1, 0, 0, 0, 0, 0]
    f1 = [found["lesion F1"] for found in counted]
    np.testing.assert_allclose(f1, [2 / 3, 2 / 3, 1, 1, 1, 1, NAN])


@pytest.mark.parametrize("shape", [(2, 2, 2), (2, 2)])
def test_voxels_that_share_a_corner_are_one_lesion(shape: tuple) -> None:
    both = np.zeros(shape, bool)
    both.flat[[0, -1]] = True
    assert lesion_metrics(both, both, ISOTROPIC[: len(shape)], LesionRule())["lesion FP"] == 0
    assert lesion_metrics(np.zeros(shape, bool), both, ISOTROPIC[: len(shape)], LesionRule())["lesion FP"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iou": 1.0}, "--lesion-iou 1 is no threshold"),
        ({"iou": -0.1}, "--lesion-iou -0.1 is no"),
        ({"iou": NAN}, "--lesion-iou nan"),
        ({"min_mm3": -3.0}, "--lesion-min-mm3 -3 is no volume"),
        ({"min_mm3": NAN}, "--lesion-min-mm3 nan"),
    ],
)
def test_impossible_rules_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LesionRule(**options)
