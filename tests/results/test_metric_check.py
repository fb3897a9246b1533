"""--check-metrics: a second implementation, really installed, agrees; where it does not, the report says so."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nnunet_skipx.cli.main import main
from nnunet_skipx.report.command import ReportOptions, report
from nnunet_skipx.results.case_metrics import case_metrics
from nnunet_skipx.results.label_maps import label_map_metrics
from nnunet_skipx.results.metric_check import (
    ROUNDING,
    Disagreement,
    check_metrics,
    check_remark,
    measured_again,
    require_second_tool,
)
from nnunet_skipx.results.study import read_study
from nnunet_skipx.results.wanted import HD95, Wanted
from tests.made_up_study import DATASET_JSON, FOLDS, TRAINERS, Study

WANTED = Wanted(nsd_mm=1.0)
STEPS = st.sampled_from([0.5, 0.7, 1.0, 1.5, 3.0])
AT_THE_TOLERANCE = np.array([[1, 0, 0], [0, 0, 1]], np.uint8).reshape(2, 1, 3, 1)


@example(AT_THE_TOLERANCE, (1.0, 1.5, 1.0), 3 - 4e-16)
@given(
    st.tuples(st.just(2), *[st.integers(1, 5)] * 3).flatmap(
        lambda shape: arrays.arrays(np.uint8, shape, elements=st.integers(0, 2))
    ),
    st.tuples(STEPS, STEPS, STEPS),
    st.floats(0.1, 3),
)
@pytest.mark.slow
def test_dice_and_nsd_are_those_of_another_tool_in_2d_and_3d(pair: np.ndarray, spacing: tuple, nsd_mm: float) -> None:
    names, wanted = {1: "core", (1, 2): "whole"}, Wanted(nsd_mm)
    ours = case_metrics(*pair, spacing, names, None, wanted)
    theirs = measured_again(*pair, spacing, names, None, wanted)
    for name in (name for name in theirs if name[1] != HD95):
        assert ours[name] == pytest.approx(theirs[name], abs=ROUNDING)
    for key, name in names.items():
        assert ((name, "Dice") in theirs) == all(np.isin(label_map, key).any() for label_map in pair)


@pytest.fixture(scope="module")
def measured(study: Study, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, pd.DataFrame]:
    """The models of the made-up study, and its table with boundary metrics."""
    found = read_study(list(study.model_folders.values()), FOLDS, allow_missing=False)
    cache = tmp_path_factory.mktemp("cache") / "maps.json"
    more, _ = label_map_metrics(found.models, found.table, study.labels, DATASET_JSON, WANTED, cache)
    return found.models, pd.concat([found.table, more], ignore_index=True)


def check(study: Study, models: dict, table: pd.DataFrame) -> dict[str, Disagreement]:
    return {one.metric: one for one in check_metrics(models, table, study.labels, DATASET_JSON, WANTED)}


def test_the_made_up_study_agrees(study: Study, measured: tuple[dict, pd.DataFrame]) -> None:
    found = check(study, *measured)
    assert list(found) == ["Dice", "NSD (1 mm)", HD95]
    assert {one.structures for one in found.values()} == {46}, "of 48, one case lacks a class in both rows"
    assert found["Dice"].size < ROUNDING and found["NSD (1 mm)"].size < ROUNDING and found[HD95].size <= 2
    remark = check_remark(list(found.values()))
    assert remark.startswith("Checked with surface-distance 0.1 on 46 structures; largest differences: Dice ")
    assert "differ by more than rounding" not in remark


def test_the_largest_disagreement_is_named(study: Study, measured: tuple[dict, pd.DataFrame]) -> None:
    models, table = measured
    wrong = table.copy()
    (line,) = wrong.index[
        (wrong["row"] == TRAINERS[1])
        & (wrong["case"] == "case_05")
        & (wrong["label"] == "Posterior")
        & (wrong["metric"] == "NSD (1 mm)")
    ]
    wrong.loc[line, "value"] += 0.01
    (one,) = (one for one in check(study, models, wrong).values() if one.metric == "NSD (1 mm)")
    assert one.size == pytest.approx(0.01, abs=1e-6)
    assert one.words.startswith(f"NSD (1 mm) 0.01 ({TRAINERS[1]}, case_05, Posterior: ")
    assert "differ by more than rounding, as where label maps are not" in check_remark([one])


def test_nothing_to_compare_is_said() -> None:
    assert check_remark([]).startswith("Nothing could be checked with surface-distance")


def test_the_report_carries_it(study: Study, tmp_path: Path) -> None:
    options = ReportOptions(nsd_mm=[1.0], check_metrics=True, references=study.labels)
    text = report([list(study.model_folders.values())], FOLDS, tmp_path, options)
    for written in (text, (tmp_path / "report.html").read_text(), (tmp_path / "report.md").read_text()):
        assert "Checked with surface-distance 0.1 on 46 structures" in written


def test_without_the_package_the_command_that_installs_it_is_told(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "surface_distance", None)
    with pytest.raises(RuntimeError, match="pip install surface-distance"):
        require_second_tool()
    folders = ["--results", str(study.results), "--references", str(study.labels), "-o", str(tmp_path / "out")]
    assert main(["report", "-d", "4", "-f", *map(str, FOLDS), "--check-metrics", *folders]) == 2
    told = "skipx report: --check-metrics takes the metrics again with surface-distance: pip install surface-distance\n"
    assert capsys.readouterr().err == told
    assert not (tmp_path / "out").exists()
