"""Sizes of structures: what the summaries count, in ml where the headers tell."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from nnunet_skipx.report.command import ReportOptions, report
from nnunet_skipx.results.sizes import structure_sizes
from nnunet_skipx.results.study import Models
from tests.made_up_study import DATASET_JSON, FOLDS, Study, label_map


@pytest.fixture(scope="module")
def models(study: Study) -> Models:
    return {trainer: (folder,) for trainer, folder in study.model_folders.items()}


def test_sizes_are_those_of_the_reference_whatever_was_predicted(study: Study, models: Models) -> None:
    found = structure_sizes(models, FOLDS, DATASET_JSON, None)
    assert found.unit == "voxels" and len(found.table) == 23, "one case lacks a class"
    for line in found.table.itertuples():
        value = {"Anterior": 1, "Posterior": 2}[line.label]
        assert line.size == (label_map(int(line.case[5:]), 0) == value).sum()
    backwards = dict(reversed(models.items()))
    assert structure_sizes(backwards, FOLDS, DATASET_JSON, None).table.equals(found.table)


def test_they_are_ml_by_the_spacing_of_each_case(study: Study, models: Models, tmp_path: Path) -> None:
    shutil.copytree(study.labels, tmp_path, dirs_exist_ok=True)
    for number, path in enumerate(sorted(tmp_path.glob("*.nii.gz"))):
        image = SimpleITK.ReadImage(str(path))
        image.SetSpacing((0.5, 2.0, 1.0 + number))
        SimpleITK.WriteImage(image, str(path))
    voxels, found = (structure_sizes(models, FOLDS, DATASET_JSON, folder) for folder in (None, tmp_path))
    assert found.unit == "ml"
    spacing = found.table["case"].str[5:].astype(int) + 1.0
    np.testing.assert_allclose(found.table["size"], voxels.table["size"] * spacing / 1000)
    next(tmp_path.glob("*.nii.gz")).unlink()
    assert structure_sizes(models, FOLDS, DATASET_JSON, tmp_path).unit == "voxels", "one unit for all"


def test_the_report_has_them_in_its_json_and_no_table_of_few_cases(study: Study, tmp_path: Path) -> None:
    report([list(study.model_folders.values())], FOLDS, tmp_path, ReportOptions(references=study.labels))
    (content,) = json.loads((tmp_path / "report.json").read_text())["comparisons"]
    assert content["by_size"] == []
    assert "By size" not in (tmp_path / "report.html").read_text()
