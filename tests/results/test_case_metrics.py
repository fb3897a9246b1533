"""case_metrics: equal to nnU-Net, and to MONAI on whole images; defined for empty, tiny and border-touching masks."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from monai.metrics import compute_hausdorff_distance, compute_surface_dice
from nnunetv2.evaluation.evaluate_predictions import compute_metrics
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

from nnunet_skipx.results.case_metrics import OVERLAP, case_metrics
from nnunet_skipx.results.lesions import LESIONS, LesionRule
from nnunet_skipx.results.summary import LabelKey
from nnunet_skipx.results.wanted import HD95, HD95_WITH_MISSES, Wanted, nsd_name
from nnunet_skipx.statistics.metric import METRICS, base_name
from tests.made_up_study import write_volume

LABELS: dict[LabelKey, str] = {1: "core", 2: "rim", (1, 2): "whole"}
IGNORE = 3
PROPERTY = settings(max_examples=40, deadline=None)
ISOTROPIC = (1.0, 1.0, 1.0)
SPACING = st.tuples(*[st.floats(0.3, 3)] * 3)
TOLERANCE = st.floats(0, 3)
LESION_RULE = LesionRule()
BOUNDARY = ("NSD", "HD95")
VOXELS = st.tuples(*[st.integers(0, 5)] * 3)


def pairs(smallest: int = 1) -> st.SearchStrategy[np.ndarray]:
    """A reference and a prediction in one array: label maps with the values 0 to 3."""
    shapes = st.tuples(st.just(2), *[st.integers(smallest, 5)] * 3)
    return shapes.flatmap(lambda shape: arrays.arrays(np.uint8, shape, elements=st.integers(0, 3), fill=st.just(0)))


def metrics(
    reference: np.ndarray,
    prediction: np.ndarray,
    spacing: Sequence[float] = ISOTROPIC,
    nsd_mm: float = 1,
    labels: dict[LabelKey, str] = LABELS,
    ignore_label: int | None = None,
) -> dict[tuple[str, str], float]:
    """All there are, without their settings."""
    wanted = Wanted(nsd_mm, LESION_RULE)
    found = case_metrics(reference, prediction, spacing, labels, ignore_label, wanted)
    return {(name, base_name(metric)): value for (name, metric), value in found.items()}


def of_core(
    reference: np.ndarray, prediction: np.ndarray, spacing: Sequence[float] = ISOTROPIC, nsd_mm: float = 1
) -> dict[str, float]:
    """Metric -> value of label 1."""
    values = metrics(reference, prediction, spacing, nsd_mm, {1: "core"})
    return {metric: value for (_, metric), value in values.items()}


def marked(shape: Sequence[int], *voxels: tuple) -> np.ndarray:
    """A label map with label 1 at these indices."""
    label_map = np.zeros(shape, np.uint8)
    for index in voxels:
        label_map[index] = 1
    return label_map


def monai_of_whole_image(
    reference: np.ndarray, prediction: np.ndarray, spacing: Sequence[float], nsd_mm: float
) -> list[float]:
    """[NSD, HD95] of two masks, neither cropped nor padded."""
    y_pred, y = (torch.from_numpy(mask.copy())[None, None] for mask in (prediction, reference))
    nsd = compute_surface_dice(y_pred, y, [nsd_mm], include_background=True, spacing=spacing, use_subvoxels=True)
    hd95 = compute_hausdorff_distance(y_pred, y, include_background=True, percentile=95, spacing=spacing)
    return [nsd.item(), hd95.item()]


@PROPERTY
@given(pairs(), SPACING, TOLERANCE)
def test_a_map_agrees_perfectly_with_itself(pair: np.ndarray, spacing: tuple, nsd_mm: float) -> None:
    perfect = dict.fromkeys(("volume error", "absolute volume error", "HD95", "HD95 with misses", "lesion FP"), 0)
    for (name, metric), value in metrics(pair[0], pair[0], spacing, nsd_mm).items():
        key = next(key for key, other in LABELS.items() if other == name)
        absent = not np.isin(pair[0], key).any()
        assert value == perfect.get(metric, 1) or (absent and np.isnan(value) and metric != "lesion FP")


@PROPERTY
@given(pairs(), SPACING, TOLERANCE)
def test_reference_and_prediction_may_be_swapped(pair: np.ndarray, spacing: tuple, nsd_mm: float) -> None:
    forth, back = (metrics(*maps, spacing, nsd_mm) for maps in (pair, pair[::-1]))
    for name in LABELS.values():
        for metric in ("Dice", "IoU", *BOUNDARY, "HD95 with misses", "lesion F1", "lesion SQ", "lesion PQ"):
            np.testing.assert_allclose(forth[name, metric], back[name, metric], rtol=1e-6)


@PROPERTY
@given(pairs(), st.permutations(list(LABELS)))
def test_the_order_of_labels_does_not_matter(pair: np.ndarray, order: list[LabelKey]) -> None:
    np.testing.assert_equal(metrics(*pair, labels={key: LABELS[key] for key in order}), metrics(*pair))


@PROPERTY
@given(pairs(), SPACING)
def test_a_region_is_scored_as_one_label(pair: np.ndarray, spacing: tuple) -> None:
    merged = np.where(pair == 2, 1, pair)
    region = metrics(*pair, spacing, labels={(1, 2): "core"})
    np.testing.assert_equal(region, metrics(*merged, spacing, labels={1: "core"}))


@PROPERTY
@given(pairs())
def test_iou_follows_from_dice(pair: np.ndarray) -> None:
    values = of_core(*pair)
    np.testing.assert_allclose(values["IoU"], values["Dice"] / (2 - values["Dice"]))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ignore_label", [None, IGNORE])
def test_overlap_is_that_of_nnunet(tmp_path: Path, seed: int, ignore_label: int | None) -> None:
    pair = np.random.default_rng(seed).integers(0, 4, (2, 3, 5, 6)).astype(np.uint8)
    pair[seed % 2][np.isin(pair[seed % 2], (2, 5))] = 0
    files = [str(tmp_path / name) for name in ("reference.nii.gz", "prediction.nii.gz")]
    for file, label_map in zip(files, pair, strict=True):
        write_volume(Path(file), label_map)
    labels: dict[LabelKey, str] = {**LABELS, 5: "absent"}
    ours = metrics(*pair, labels=labels, ignore_label=ignore_label)
    theirs = compute_metrics(*files, SimpleITKIO(), list(labels), ignore_label)["metrics"]
    for key, name in labels.items():
        for metric in ("Dice", "IoU"):
            np.testing.assert_allclose(ours[name, metric], theirs[key][metric], rtol=0, atol=1e-12)
        volume_error = (theirs[key]["n_pred"] - theirs[key]["n_ref"]) / max(theirs[key]["n_ref"], 1)
        assert ours[name, "volume error"] == pytest.approx(volume_error) or theirs[key]["n_ref"] == 0


@PROPERTY
@given(pairs(), SPACING, TOLERANCE)
def test_cropping_does_not_change_what_monai_computes(pair: np.ndarray, spacing: tuple, nsd_mm: float) -> None:
    reference, prediction = pair == 1
    assume(reference.any() and prediction.any())
    in_2d = pair.shape[1] == 1
    expected = (
        monai_of_whole_image(reference[0], prediction[0], spacing[1:], nsd_mm)
        if in_2d
        else monai_of_whole_image(reference, prediction, spacing, nsd_mm)
    )
    values = of_core(*pair, spacing, nsd_mm)
    assert [values[metric] for metric in BOUNDARY] == expected


@pytest.mark.parametrize(
    ("reference", "prediction"),
    [
        (np.s_[4, 4, 4], np.s_[4, 4, 4]),
        (np.s_[4, 4, 4], np.s_[2, 5, 4]),
        (np.s_[0, 0, 0], np.s_[8, 8, 8]),
        (np.s_[0, 2:5, 2:5], np.s_[0, 3:6, 2:5]),
        (np.s_[4, 2:7, 2:7], np.s_[4, 3:6, 2:7]),
        (np.s_[:, :, :], np.s_[1:8, 1:8, 1:8]),
        (np.s_[:5], np.s_[:6]),
    ],
    ids=["one voxel", "two voxels", "corners", "at a border", "flat", "whole image", "from border to border"],
)
def test_degenerate_masks_are_scored_as_in_the_whole_image(reference: tuple, prediction: tuple) -> None:
    maps, spacing = [marked((9, 9, 9), index) for index in (reference, prediction)], (2.5, 0.7, 1.1)
    expected = monai_of_whole_image(maps[0] == 1, maps[1] == 1, spacing, 1.5)
    assert [of_core(*maps, spacing, 1.5)[metric] for metric in BOUNDARY] == expected


@PROPERTY
@given(pairs(smallest=2), SPACING, TOLERANCE)
def test_background_around_the_image_changes_nothing(pair: np.ndarray, spacing: tuple, nsd_mm: float) -> None:
    padded = np.pad(pair, [(0, 0), (2, 1), (1, 2), (3, 0)])
    larger, plain = metrics(*padded, spacing, nsd_mm), metrics(*pair, spacing, nsd_mm)
    for name in LABELS.values():  # a missed structure counts as the image's diagonal
        if np.isnan(plain[name, "HD95"]) and not np.isnan(plain[name, "HD95 with misses"]):
            assert larger.pop((name, "HD95 with misses")) > plain.pop((name, "HD95 with misses"))
    np.testing.assert_equal(larger, plain)


@PROPERTY
@given(pairs(smallest=2), SPACING, TOLERANCE, st.permutations(range(3)))
def test_axes_may_be_exchanged_with_their_spacings(
    pair: np.ndarray, spacing: tuple, nsd_mm: float, order: list[int]
) -> None:
    turned = pair.transpose(0, *(axis + 1 for axis in order))
    plain, exchanged = metrics(*pair, spacing, nsd_mm), metrics(*turned, [spacing[axis] for axis in order], nsd_mm)
    np.testing.assert_allclose(list(exchanged.values()), list(plain.values()), rtol=1e-5)


@PROPERTY
@given(pairs(), SPACING, TOLERANCE)
def test_twice_the_spacing_is_twice_the_distance(pair: np.ndarray, spacing: tuple, nsd_mm: float) -> None:
    plain, doubled = of_core(*pair, spacing, nsd_mm), of_core(*pair, [2 * step for step in spacing], 2 * nsd_mm)
    np.testing.assert_equal(doubled, plain | {name: 2 * plain[name] for name in ("HD95", "HD95 with misses")})


@PROPERTY
@given(VOXELS, VOXELS, SPACING)
def test_hd95_of_two_voxels_is_their_distance_in_mm(first: tuple, second: tuple, spacing: tuple) -> None:
    distance = np.linalg.norm(np.subtract(first, second) * spacing)
    values = of_core(marked((6, 6, 6), first), marked((6, 6, 6), second), spacing, 1.001 * distance)
    assert values["HD95"] == pytest.approx(distance, rel=1e-6)
    assert values["NSD"] == 1, "no point of either surface is farther away"


@pytest.mark.parametrize(("nsd_mm", "nsd"), [(0.69, 0), (0.7, 0.5), (1.39, 0.5), (1.4, 1)])
@pytest.mark.parametrize("axis", range(3))
def test_the_tolerance_is_in_mm_and_includes_itself(axis: int, nsd_mm: float, nsd: float) -> None:
    # The voxels' near faces are one step of 0.7 mm apart, their far corners two.
    spacing, second = [5.0, 5.0, 5.0], [1, 1, 1]
    spacing[axis], second[axis] = 0.7, 3
    values = of_core(marked((5, 5, 5), (1, 1, 1)), marked((5, 5, 5), tuple(second)), spacing, nsd_mm)
    assert values["NSD"] == pytest.approx(nsd)


def test_hd95_ignores_a_few_outliers_and_takes_the_worse_direction() -> None:
    square = marked((1, 20, 30), np.s_[0, 2:18, 2:18])  # its contour has 60 pixels
    # A tail of one pixel in 60 is below the 95th percentile; of nine in 68, it leaves 0.95 * 67 - 58 = 5.65 pixels.
    for length, hd95 in ((1, 0), (9, 5.65)):
        tailed = marked((1, 20, 30), np.s_[0, 2:18, 2:18], np.s_[0, 9, 18 : 18 + length])
        assert of_core(square, tailed)["HD95"] == of_core(tailed, square)["HD95"] == pytest.approx(hd95)


def test_an_image_of_one_slice_has_a_contour_and_no_thickness() -> None:
    full, hollow = marked((1, 13, 13), np.s_[0, 1:12, 1:12]), marked((1, 13, 13), np.s_[0, 1:12, 1:12])
    hollow[0, 6, 6] = 0
    # 4 of 44 pixels of the contours surround the hole, 4 pixels from the outer contour.
    assert of_core(full, hollow, (999, 1, 1.0))["HD95"] == 4
    np.testing.assert_equal(of_core(full, hollow, (999, 1, 2)), of_core(full, hollow, (0.1, 1, 2)))
    # Nikolov et al. measure contours between the centres of pixels: 40 steps and 4 cut corners, 4 more at the hole.
    outer, hole = 40 + 4 * np.sqrt(0.5), 4 * np.sqrt(0.5)
    assert of_core(full, hollow)["NSD"] == pytest.approx(2 * outer / (2 * outer + hole))


@PROPERTY
@given(pairs())
def test_without_the_label_in_either_map_all_is_nan(pair: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = metrics(*pair, labels={7: "absent"})
        assert values.pop(("absent", "lesion FP")) == 0
        assert np.isnan(list(values.values())).all()


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 4, 5), (1, 1, 1)])
def test_with_the_label_in_one_map_alone_all_is_lost(shape: tuple) -> None:
    empty, full = np.zeros(shape, int), np.ones(shape, int)
    lost = {"Dice": 0, "IoU": 0, "NSD": 0, "HD95": np.nan, "lesion F1": 0, "lesion SQ": np.nan, "lesion PQ": 0}
    lost["HD95 with misses"] = np.linalg.norm(shape[1:] if shape[0] == 1 else shape)
    missed = {"volume error": -1, "absolute volume error": 1, "lesion sensitivity": 0, "lesion FP": 0}
    invented = dict.fromkeys(("volume error", "absolute volume error", "lesion sensitivity"), np.nan) | {"lesion FP": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_equal(of_core(full, empty), lost | missed)
        np.testing.assert_equal(of_core(empty, full), lost | invented)


def test_no_distance_exceeds_that_of_a_missed_structure() -> None:
    spacing, corners = (2.5, 0.7, 1.1), [marked((6, 7, 8), index) for index in ((0, 0, 0), (-1, -1, -1))]
    farthest = of_core(*corners, spacing)["HD95 with misses"]
    missed = of_core(corners[0], np.zeros((6, 7, 8)), spacing)["HD95 with misses"]
    assert farthest < missed == pytest.approx(np.linalg.norm(np.multiply((6, 7, 8), spacing)))


def test_volume_error_is_positive_where_too_much_is_predicted() -> None:
    two, three = marked((1, 1, 6), np.s_[0, 0, :2]), marked((1, 1, 6), np.s_[0, 0, 3:])
    assert of_core(two, three)["volume error"] == 0.5
    assert of_core(three, two)["volume error"] == pytest.approx(-1 / 3)
    assert of_core(three, two)["absolute volume error"] == pytest.approx(1 / 3)


@PROPERTY
@given(pairs(), st.integers(0, 3))
def test_the_prediction_does_not_matter_where_it_is_ignored(pair: np.ndarray, label: int) -> None:
    reference, prediction = pair
    changed = np.where(reference == IGNORE, label, prediction)
    np.testing.assert_equal(
        metrics(reference, changed, ignore_label=IGNORE), metrics(reference, prediction, ignore_label=IGNORE)
    )


@PROPERTY
@given(pairs())
def test_ignored_voxels_are_background_in_both_masks(pair: np.ndarray) -> None:
    cleared = np.where(pair[0] == IGNORE, 0, pair)
    np.testing.assert_equal(metrics(*pair, ignore_label=IGNORE), metrics(*cleared))


BOUNDARY_NAMES = (nsd_name(1.5), HD95, HD95_WITH_MISSES)
LESION_NAMES = tuple(f"{name} (IoU > 0.5)" for name in LESIONS)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), OVERLAP),
        (Wanted(nsd_mm=1.5), OVERLAP + BOUNDARY_NAMES),
        (Wanted(lesions=LESION_RULE), OVERLAP + LESION_NAMES),
    ],
)
def test_only_what_is_asked_for_is_computed(wanted: Wanted, expected: tuple[str, ...]) -> None:
    label_map = marked((3, 3, 3), (1, 1, 1))
    values = case_metrics(label_map, label_map, ISOTROPIC, LABELS, None, wanted)
    assert list(values) == [(name, metric) for name in LABELS.values() for metric in expected]
    assert all(type(value) is float for value in values.values())
    assert {base_name(metric) for metric in expected} <= METRICS.keys()


def test_nsd_never_stands_without_its_tolerance() -> None:
    assert BOUNDARY_NAMES[0] == "NSD (1.5 mm)"


@PROPERTY
@given(pairs())
def test_the_maps_are_left_as_they_are(pair: np.ndarray) -> None:
    before = pair.copy()
    metrics(*pair, ignore_label=IGNORE)
    np.testing.assert_array_equal(pair, before)


def test_maps_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 4\).*\(2, 4, 3\).*different cases"):
        metrics(np.zeros((2, 3, 4)), np.zeros((2, 4, 3)))


def test_a_channel_axis_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 2, 3, 4\).*channel axis"):
        metrics(np.zeros((1, 2, 3, 4)), np.zeros((1, 2, 3, 4)))
    with pytest.raises(ValueError, match=r"spacing \(1, 1\)"):
        metrics(np.zeros((1, 3, 4)), np.zeros((1, 3, 4)), (1, 1))
