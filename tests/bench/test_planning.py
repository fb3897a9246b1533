"""Before training: what a matrix can show, and what it promises."""

import json
from pathlib import Path

import pytest

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.matrix import Matrix
from nnunet_skipx.bench.planned_study import planned_studies
from nnunet_skipx.bench.planner import DEFAULT, Assumptions, plan_power
from nnunet_skipx.bench.preregister import preregister
from nnunet_skipx.cli.main import main
from nnunet_skipx.results.preregistration import FILE, read_promises
from tests.bench.test_matrix import planned  # noqa: F401
from tests.made_up_study import DATASET, TRAINERS, Study, study  # noqa: F401

TRIO = Matrix(("998",), ("3d_fullres",), ("nnUNetTrainerXUNet", "nnUNetTrainer", "nnUNetTrainerXUNet_twin"))


@pytest.fixture
def results(planned: Path) -> Path:  # noqa: F811
    """Of a planned data set of 40 cases in two folds."""
    splits = [{"train": ["x"], "val": [f"{fold}_{case}" for case in range(20)]} for fold in range(2)]
    (planned.parent / "nnUNet_preprocessed" / "Dataset998_Test" / "splits_final.json").write_text(json.dumps(splits))
    return planned


def test_rows_comparisons_and_cases_are_those_that_the_report_will_have(results: Path) -> None:
    (made,) = planned_studies(TRIO)
    assert made.baseline == "nnUNetTrainer" and made.sizes == (20, 20)
    assert made.with_baseline == [("nnUNetTrainerXUNet", "nnUNetTrainer"), ("nnUNetTrainerXUNet_twin", "nnUNetTrainer")]
    assert made.comparisons == 3, "two with the baseline, one with the twin"
    two = Matrix(("998",), ("3d_fullres", "3d_cascade_fullres"), ("nnUNetTrainer",), folds=(1,))
    assert list(planned_studies(two)[0].rows) == [
        "nnUNetTrainer (nnUNetPlans, 3d_fullres)",
        "nnUNetTrainer (nnUNetPlans, 3d_cascade_fullres)",
    ]
    with pytest.raises(ValueError, match="nnUNetTrainer is the only row"):
        planned_studies(Matrix(("998",), ("3d_fullres",), ("nnUNetTrainer",)))


def test_folds_that_nnunet_has_not_dealt_are_counted_evenly(results: Path) -> None:
    folder = results.parent / "nnUNet_preprocessed" / "Dataset998_Test"
    (folder / "splits_final.json").unlink()
    (folder / "gt_segmentations").mkdir()
    for case in range(12):
        (folder / "gt_segmentations" / f"case_{case}.nii.gz").touch()
    assert planned_studies(TRIO)[0].sizes == (3, 3, 2, 2, 2)
    with pytest.raises(ValueError, match="has no fold 5"):
        planned_studies(Matrix(("998",), ("3d_fullres",), ("a", "b"), folds=(5,)))


def test_the_table_says_what_is_shown_and_what_was_assumed(results: Path) -> None:
    told = plan_power(Matrix(TRIO.datasets, TRIO.configurations, TRIO.trainers, replicates=3), Assumptions(), 0.01)
    lines = [line.split() for line in told.replace(" %", "%").splitlines() if line[:1].isdigit()]
    assert [line[:3] for line in lines if "*" in line] == [["2", "40", "3"]]
    shown = {(line[0], line[2]): line[-2] for line in lines}
    assert shown["1", "1"] == "–" and float(shown["2", "5"]) < float(shown["2", "2"])
    assert "3 comparisons (Holm)" in told and "not measured on these data" in told
    assert f"paired SD {DEFAULT.paired_sd:.4f}" in told and "not worse by 0.01" in told
    assert not (results / FILE).exists(), "planning writes nothing"


def test_what_is_given_takes_the_place_of_what_is_assumed(results: Path) -> None:
    told = plan_power(TRIO, Assumptions(paired_sd=0.05, seed_sd=0.001))
    assert "paired SD 0.0500" in told and "SD of trained networks 0.0010" in told and "--seed-sd as given" in told
    with pytest.raises(ValueError, match="--paired-sd -1 is no SD"):
        Assumptions(paired_sd=-1)


def test_results_that_are_there_are_estimated_from(results: Path, study: Study) -> None:  # noqa: F811
    folder = results.parent / "nnUNet_preprocessed"
    (folder / "Dataset998_Test").rename(folder / DATASET)
    told = plan_power(Matrix(("4",), ("3d_fullres",), TRAINERS), Assumptions(study.results))
    assert f"estimated from 2 rows and 12 cases in {study.results}" in told
    assert "without replicates there" in told and "paired SD 0.0150" not in told


def test_the_margin_is_written_once_and_changed_by_a_further_entry(results: Path) -> None:
    assert "says that it was fixed before" in preregister(TRIO, 0.01)
    before = (results / FILE).read_bytes()
    assert "fixed on" in preregister(TRIO, 0.01)
    assert (results / FILE).read_bytes() == before, "to go on with a comparison changes nothing"
    preregister(TRIO, 0.02)
    assert [promise.margin for promise in read_promises(results)] == [0.01, 0.02]
    (entry, _) = json.loads((results / FILE).read_text())
    assert entry["matrix"]["tr"] == list(TRIO.trainers)
    pairs = [("nnUNetTrainerXUNet", "nnUNetTrainer"), ("nnUNetTrainerXUNet_twin", "nnUNetTrainer")]
    named = [[f"{name}__nnUNetPlans__3d_fullres" for name in pair] for pair in pairs]
    assert entry["comparisons"] == {"Dataset998_Test": named}
    with pytest.raises(ValueError, match="--margin 0 is no margin"):
        preregister(TRIO, 0)


def test_a_margin_after_training_began_is_written_with_a_warning(results: Path) -> None:
    cell = Cell(results, "Dataset998_Test", "3d_fullres", 0, "nnUNetTrainer", "nnUNetPlans")
    cell.folder.mkdir(parents=True)
    (cell.folder / "training_log_2025_11_21_02_19_00.txt").touch()
    assert "1 of its trainings began before" in preregister(TRIO, 0.01)


def test_the_command_plans_and_stops(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["bench", "-d", "998", "-c", "3d_fullres", "-tr", "nnUNetTrainer", "nnUNetTrainerXUNet"]
    assert main([*asked, "--power"]) == 0
    assert "1 comparison (Holm)" in capsys.readouterr().out
    assert main([*asked, "--seed-sd", "0.1"]) == 2
    assert "assumptions of --power" in capsys.readouterr().err


def test_a_margin_is_written_in_its_metric_and_setting(results: Path) -> None:
    assert "margin of 0.02 in NSD (1 mm)" in preregister(TRIO, 0.02, "NSD (1 mm)")
    preregister(TRIO, 0.02)
    assert "Margin of 0.02 in NSD (1 mm): fixed on" in preregister(TRIO, 0.02, "NSD (1 mm)")
    assert [promise.metric for promise in read_promises(results)] == ["NSD (1 mm)", "Dice"]
    with pytest.raises(ValueError, match=r"--margin in NSD does not say which.*'NSD \(1 mm\)=VALUE'"):
        preregister(TRIO, 0.02, "NSD")
    with pytest.raises(ValueError, match="volume error: neither more nor less"):
        preregister(TRIO, 0.02, "volume error")


def test_the_command_takes_margins_of_several_metrics_and_plans_in_dice(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["bench", "-d", "998", "-c", "3d_fullres", "-tr", "nnUNetTrainer", "nnUNetTrainerXUNet", "--power"]
    assert main([*asked, "--margin", "0.01"]) == 0
    assert "not worse by 0.01" in capsys.readouterr().out
    assert main([*asked, "--margin", "0.01", "nsd (1 mm)=0.02"]) == 2
    assert "--power plans in Dice: leave the --margin in NSD (1 mm) out" in capsys.readouterr().err
