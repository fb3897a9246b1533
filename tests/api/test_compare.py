"""The numbers of a report as data frames."""

import json
from pathlib import Path

import pandas as pd
import pytest

import nnunet_skipx as sx
from nnunet_skipx.report.command import ReportOptions, report
from tests.made_up_study import (
    DATASET,
    FOLDS,
    TRAINERS,
    Study,
    study,  # noqa: F401
)


def test_data_frames_hold_what_the_reports_files_hold(study: Study, tmp_path: Path) -> None:  # noqa: F811
    found = sx.compare(study.results, [4], folds=FOLDS, baseline=TRAINERS[1])
    report([list(study.model_folders.values())], FOLDS, tmp_path, ReportOptions(baseline=TRAINERS[1]))
    pd.testing.assert_frame_equal(found.cases, pd.read_parquet(tmp_path / "cases.parquet"))
    content = json.loads((tmp_path / "report.json").read_text())["comparisons"][0]
    assert list(found.rows["name"]) == [row["name"] for row in content["rows"]] == list(TRAINERS)
    assert list(found.rows["mean.value"]) == [row["mean"]["value"] for row in content["rows"]]
    assert list(found.contrasts["verdict"]) == [contrast["verdict"] for contrast in content["contrasts"]]
    assert set(found.contrasts["dataset"]) == {DATASET}


def test_it_writes_nothing(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.chdir(tmp_path)
    before = sorted(study.results.rglob("*"))
    sx.compare(study.results, [DATASET], TRAINERS, folds=FOLDS)
    assert sorted(study.results.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_named(study: Study) -> None:  # noqa: F811
    with pytest.raises(FileNotFoundError, match="data set '5' has no results"):
        sx.compare(study.results, [5])
    with pytest.raises(TypeError, match="rop"):
        sx.compare(study.results, [4], rop=0.01)
