"""slices: the same median and worst case of all rows, beside the reference and with what is wrong."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.figures.slices import difference_map, largest_slice, read_case, slice_panels
from nnunet_skipx.results.atlas import ATLAS
from tests.made_up_study import DATASET_JSON, TRAINERS, Study, write_volume


@pytest.fixture
def case_means(comparison: Comparison) -> pd.DataFrame:
    return comparison.case_means


def test_all_rows_show_the_same_median_and_worst_case(study: Study, case_means: pd.DataFrame) -> None:
    panels, remarks = slice_panels(case_means, study.model_folders, study.images, study.labels, DATASET_JSON)
    assert ATLAS in case_means and not remarks
    shared = case_means[list(TRAINERS)].mean(axis=1)
    worst, median = panels[:3], panels[3:]
    for which, shown in (("Worst", worst), ("Median", median)):
        (group,) = {panel.group for panel in shown}
        name, case = group.split(", ")
        assert name == f"{which} case"
        ranked = shared.sort_values(kind="stable").index.get_level_values("case")
        assert case == ranked[0 if which == "Worst" else len(ranked) // 2]
        scores = case_means.xs(case, level="case").iloc[0]
        assert [panel.title for panel in shown] == [
            "Reference",
            *(f"{trainer}: Dice {scores[trainer]:.3f}" for trainer in TRAINERS),
        ]
    assert all(panel.small and panel.src.startswith("data:image/png;base64,") for panel in panels)
    assert len({panel.src for panel in worst}) == 3


def test_a_difference_map_tells_missed_invented_and_mistaken_voxels() -> None:
    reference, prediction = np.array([[0, 1, 1], [2, 0, 2]]), np.array([[0, 1, 0], [1, 2, 2]])
    assert difference_map(reference, prediction).tolist() == [[0, 0, 1], [3, 2, 0]]


def test_the_slice_with_most_labelled_voxels_is_shown() -> None:
    array = np.zeros((5, 4, 4), int)
    array[1, :2], array[3, :3], array[4, 0] = 1, 2, 3
    assert largest_slice(array) == 3


def test_of_an_empty_reference_the_slice_is_where_something_was_invented(study: Study, tmp_path: Path) -> None:
    empty, invented = np.zeros((8, 20, 16), np.uint8), np.zeros((8, 20, 16), np.uint8)
    invented[6, 3:7, 3:7] = 1
    paths = {"nothing": tmp_path / "a.nii.gz", "invented": tmp_path / "b.nii.gz"}
    write_volume(tmp_path / "truth.nii.gz", empty)
    for path, volume in zip(paths.values(), (empty, invented), strict=True):
        write_volume(path, volume)
    read, unread = read_case("case_00", study.images, tmp_path / "truth.nii.gz", paths, DATASET_JSON)
    assert not unread and not read.reference.any()
    assert {row: int(found.sum()) for row, found in read.predictions.items()} == {"nothing": 0, "invented": 16}


def test_regions_are_shown_by_their_label_values(study: Study, case_means: pd.DataFrame) -> None:
    dataset_json = {**DATASET_JSON, "labels": {"background": 0, "whole": [1, 2], "core": [2]}}
    folders = {TRAINERS[0]: study.model_folder(TRAINERS[0])}
    assert len(slice_panels(case_means, folders, study.images, study.labels, dataset_json)[0]) == 4


def test_a_missing_image_is_named_once_for_each_case(study: Study, case_means: pd.DataFrame, tmp_path: Path) -> None:
    panels, remarks = slice_panels(case_means, study.model_folders, tmp_path, study.labels, DATASET_JSON)
    assert panels == [] and len(remarks) == 2
    assert all(re.search(r"Not shown: .* case, case_\d\d \(.*case_\d\d_0000\.nii\.gz is missing\)", r) for r in remarks)


@pytest.mark.parametrize("damage", ["cut off", "another shape"])
def test_a_broken_prediction_costs_its_own_picture_only(
    study: Study, case_means: pd.DataFrame, tmp_path: Path, damage: str
) -> None:
    folder = Path(shutil.copytree(study.model_folder(TRAINERS[0]), tmp_path / "model"))
    fold, worst = case_means[list(TRAINERS)].mean(axis=1).idxmin()
    broken = folder / f"fold_{fold}" / "validation" / f"{worst}.nii.gz"
    if damage == "cut off":
        broken.write_bytes(broken.read_bytes()[:40])
    else:
        write_volume(broken, np.zeros((2, 3, 4), np.uint8))
    folders = study.model_folders | {TRAINERS[0]: folder}
    panels, remarks = slice_panels(case_means, folders, study.images, study.labels, DATASET_JSON)
    assert [panel.title.split(":")[0] for panel in panels] == ["Reference", TRAINERS[1], "Reference", *TRAINERS]
    assert len(remarks) == 1 and worst in remarks[0] and TRAINERS[0] in remarks[0]
