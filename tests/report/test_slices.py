"""slices: the median and the worst case beside the reference."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nnunet_skipx.report.figures.slices import largest_slice, slice_panels
from nnunet_skipx.results.collect import collect
from nnunet_skipx.statistics.means import case_values
from tests.made_up_study import DATASET_JSON, FOLDS, TRAINERS, Study


@pytest.fixture
def table(study: Study) -> pd.DataFrame:
    return collect(list(study.model_folders.values()), FOLDS)


def test_each_trainer_shows_its_median_and_its_worst_case(study: Study, table: pd.DataFrame) -> None:
    panels, remarks = slice_panels(table, study.model_folders, study.images, study.labels, DATASET_JSON)
    assert not remarks
    assert [panel.title.split(" case ")[0] for panel in panels] == [
        f"{trainer}: {which}" for trainer in TRAINERS for which in ("median", "worst")
    ]
    for trainer, (median, worst) in zip(TRAINERS, (panels[:2], panels[2:]), strict=True):
        values = case_values(table, trainer)
        assert f"Dice {values.min():.3f}" in worst.title
        assert (values <= float(median.title[-5:]) + 5e-4).sum() >= len(values) / 2
    assert len({panel.src for panel in panels}) > 1
    assert all(panel.src.startswith("data:image/png;base64,") for panel in panels)


def test_the_slice_with_most_labelled_voxels_is_shown() -> None:
    array = np.zeros((5, 4, 4), int)
    array[1, :2], array[3, :3], array[4, 0] = 1, 2, 3
    assert largest_slice(array) == 3


def test_regions_are_shown_by_their_label_values(study: Study, table: pd.DataFrame) -> None:
    dataset_json = {**DATASET_JSON, "labels": {"background": 0, "whole": [1, 2], "core": [2]}}
    folders = {TRAINERS[0]: study.model_folder(TRAINERS[0])}
    assert len(slice_panels(table, folders, study.images, study.labels, dataset_json)[0]) == 2


def test_a_missing_file_is_named(study: Study, table: pd.DataFrame, tmp_path: Path) -> None:
    panels, remarks = slice_panels(table, study.model_folders, tmp_path, study.labels, DATASET_JSON)
    assert panels == [] and len(remarks) == 4
    assert all(re.search(r"Not shown: .* case case_\d\d, .*case_\d\d_0000\.nii\.gz is missing", r) for r in remarks)


def test_a_broken_prediction_costs_its_own_picture_only(study: Study, table: pd.DataFrame, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(study.model_folder(TRAINERS[0]), tmp_path / "model"))
    fold, worst = case_values(table, TRAINERS[0]).idxmin()
    broken = folder / f"fold_{fold}" / "validation" / f"{worst}.nii.gz"
    broken.write_bytes(broken.read_bytes()[:40])
    panels, remarks = slice_panels(table, {TRAINERS[0]: folder}, study.images, study.labels, DATASET_JSON)
    assert [panel.title.split(" case ")[0] for panel in panels] == [f"{TRAINERS[0]}: median"]
    assert len(remarks) == 1 and worst in remarks[0]
