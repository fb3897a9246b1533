"""Metrics from the label maps: of every case of the table, once, and no case is blamed for another's fault."""
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nnunet_skipx.benchmark import label_maps
from nnunet_skipx.benchmark.case_metrics import case_metrics
from nnunet_skipx.benchmark.label_maps import Job, label_map_metrics, measure
from nnunet_skipx.benchmark.report_command import report
from nnunet_skipx.benchmark.study import read_study
from tests.benchmark.conftest import DATASET_JSON, FOLDS, TRAINERS, Study, label_map, write_volume


@pytest.fixture(scope="module")
def table(study: Study, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    checked = read_study(list(study.model_folders.values()), FOLDS, allow_missing=False)
    cache = tmp_path_factory.mktemp("cache") / "maps.json"
    return label_map_metrics(checked.models, checked.table, study.labels, DATASET_JSON, 1.0, cache)


def test_every_case_class_and_metric_is_there_once(study: Study, table: pd.DataFrame) -> None:
    dice = read_study(list(study.model_folders.values()), FOLDS, allow_missing=False).table
    assert set(table["metric"]) == {"IoU", "volume error", "NSD", "HD95"}
    assert len(table) == 4 * len(dice)
    assert not table.duplicated(["trainer", "case", "label", "metric"]).any()


def test_the_numbers_are_those_of_the_maps(study: Study, table: pd.DataFrame) -> None:
    dice = read_study(list(study.model_folders.values()), FOLDS, allow_missing=False).table
    keys = ["trainer", "case", "label"]
    iou = table[table["metric"] == "IoU"].set_index(keys)["value"].sort_index()
    expected = dice.set_index(keys)["value"].sort_index()
    np.testing.assert_allclose(iou, expected / (2 - expected), rtol=1e-12)
    two_off = case_metrics(label_map(0, 0), label_map(0, 2), (1, 1, 1), {1: "Anterior"}, None, True, 1.0, False)
    worst = table[(table["trainer"] == TRAINERS[1]) & (table["metric"] == "HD95")]["value"].max()
    assert worst == pytest.approx(two_off["Anterior", "HD95"])


def test_what_was_measured_is_not_measured_again(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    folders = list(study.model_folders.values())
    report(folders, FOLDS, out, nsd_mm=1.0, references=study.labels)
    assert "Other metrics" in (out / "report.html").read_text()
    before = (out / "cases.csv").read_text()
    monkeypatch.setattr(label_maps, "measure", None)  # would fail
    report(folders, FOLDS, out, nsd_mm=1.0, references=study.labels)
    assert (out / "cases.csv").read_text() == before
    known = json.loads((out / "label_maps.json").read_text())
    assert 0 < len(known) <= 24, "equal pairs of files share an entry"


def test_missing_and_unreadable_maps_are_named(study: Study, tmp_path: Path) -> None:
    checked = read_study(list(study.model_folders.values()), FOLDS, allow_missing=False)
    with pytest.raises(FileNotFoundError, match=r"label map .*nowhere.*is missing"):
        label_map_metrics(checked.models, checked.table, tmp_path / "nowhere", DATASET_JSON, 1.0, tmp_path / "c.json")
    with pytest.raises(ValueError, match=r"--nsd-mm -1 is no distance"):
        label_map_metrics(checked.models, checked.table, study.labels, DATASET_JSON, -1, tmp_path / "c.json")
    broken = tmp_path / "case_00.nii.gz"
    good = shutil.copy(study.labels / "case_00.nii.gz", tmp_path / "good.nii.gz")
    broken.write_bytes(Path(good).read_bytes()[:40])
    job = Job(tmp_path, "row", 0, "case_00", Path(good), broken)
    with pytest.raises(ValueError, match=r"case_00.nii.gz cannot be read"):
        measure(job, DATASET_JSON, 1.0)
    write_volume(broken, label_map(0, 0)[1:])
    with pytest.raises(ValueError, match=r"case_00.nii.gz: The reference has shape"):
        measure(job, DATASET_JSON, 1.0)
