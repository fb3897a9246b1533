"""A report on a test set: one ensemble per row and replicate, which every format says; what is missing is named."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from nnunet_skipx.api.compare import compare
from nnunet_skipx.datasets.protocol import KEY, Protocol
from nnunet_skipx.report.beside import CaseFiles
from nnunet_skipx.report.command import ReportOptions, read_comparison, report
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.methods import methods
from tests.made_up_study import CASES, DATASET, FOLDS, TRAINERS, Study, write_test_set

TEST = ReportOptions(test=True)
ENSEMBLE = "test_folds_0_1_2"


@pytest.fixture
def folders(study: Study, tmp_path: Path) -> list[Path]:
    """The models with a predicted test set, which a test may damage; they name a protocol of other cases."""
    shutil.copytree(study.results, tmp_path / "results")
    made = [tmp_path / "results" / DATASET / folder.name for folder in study.model_folders.values()]
    for folder in made:
        write_test_set(study, folder)
        path = folder / "dataset.json"
        protocol = Protocol("Made-up 3-fold", "data", ("a", "b", "c")).as_json()
        path.write_text(json.dumps(json.loads(path.read_text()) | {KEY: protocol}))
    return made


def compared(folders: list[Path], folds: list[int] | None = None, **options: bool) -> Comparison:
    """What a report is made from, without its page."""
    chosen = ReportOptions(test=True, **options)
    return read_comparison(folders, folds, folders[0].parents[1], chosen, None, CaseFiles())


def replicated(folder: Path, number: int) -> Path:
    return Path(shutil.copytree(folder, folder.parents[1] / f"replicate_{number}" / DATASET / folder.name))


def test_every_format_is_of_the_test_set_and_its_ensembles(folders: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = report([folders], None, out, TEST)
    line = "Dataset004_Hippocampus, Made-up 3-fold: test set of 12 cases, ensemble of folds 0-2; nnUNetPlans 3d_fullres"
    page, content = (out / "report.html").read_text(), json.loads((out / "report.json").read_text())
    for written in (text, page, (out / "report.md").read_text(), (out / "report.tex").read_text().replace("\\_", "_")):
        assert line in written
        assert "One ensemble per row: the noise of training is not in the intervals, and nothing is decided" in written
        assert "ross-validation" not in written and "between folds" not in written
    assert f"<title>Test set of {DATASET}</title>" in page
    assert "Test set and replicates" in page and "<th>Test set</th>" in page.replace(' scope="col"', "")
    (part,) = content["comparisons"]
    assert part["protocol"] == line and part["ensemble"] == list(FOLDS)
    paragraphs = " ".join(part["methods"])
    assert "on the test set of Dataset004_Hippocampus, Made-up 3-fold (12 cases)." in paragraphs
    assert "segmented by the ensemble of folds 0-2 (nnU-Net's mean of their logits)" in paragraphs
    assert "does not know the noise of training" in paragraphs
    assert set(pd.read_csv(out / "cases.csv")["fold"]) == {ENSEMBLE}
    for row, folder in zip(part["rows"], folders, strict=True):
        summary = json.loads((folder / ENSEMBLE / "summary.json").read_text())
        assert row["foreground_mean"] == pytest.approx(summary["foreground_mean"]["Dice"])
        assert list(row["fold_means"]) == [ENSEMBLE]


def test_the_interval_is_over_cases_and_decides_nothing_without_replicates(folders: list[Path]) -> None:
    found = compare(folders[0].parents[1], [4], test=True)
    cases = found.cases.groupby(["row", "case"])["value"].mean()
    row = found.rows.set_index("name").loc[TRAINERS[0]]
    error = cases[TRAINERS[0]].std() / len(CASES) ** 0.5
    half = (row["mean.high"] - row["mean.low"]) / 2
    assert half == pytest.approx(2.201 * error, rel=1e-3), "t of 11 degrees of freedom"
    assert list(found.contrasts["reason"]) == ["one training"]


def test_replicates_are_ensembles_of_their_own_and_let_verdicts_be_reached(folders: list[Path]) -> None:
    for folder in folders:
        for number in (2, 3):
            replicated(folder, number)
    found = compared(folders)
    (contrast,) = found.contrasts
    assert contrast.difference.interval.training == "replicates" and contrast.reason == ""
    assert found.cautions == [], "no word of trainings that cannot be told apart"
    assert all(set(row.replicate_means) == {1, 2, 3} for row in found.rows)
    assert "estimated from the replicates" in " ".join(methods(found))


def test_a_single_fold_is_a_network(study: Study, folders: list[Path]) -> None:
    for folder in folders:
        write_test_set(study, folder, (1,))
    found = compared(folders, [1])
    (caution,) = found.cautions
    assert "network of fold 1;" in found.protocol and "One network per row" in caution
    assert "more folds" not in caution, "they would make an ensemble of it"


def test_metrics_of_label_maps_sizes_and_slices_are_those_of_the_test_set(
    study: Study, folders: list[Path], tmp_path: Path
) -> None:
    options = ReportOptions(test=True, nsd_mm=[1.0], references=study.labels, images=study.images)
    report([folders], None, tmp_path / "out", options)
    (part,) = json.loads((tmp_path / "out" / "report.json").read_text())["comparisons"]
    assert {line["metric"] for line in part["other_metrics"]} >= {"IoU", "NSD (1 mm)"}
    assert not [note for note in part["notes"] if "label map" in note.lower()]
    assert re.search(r"Worst case, case_\d\d", (tmp_path / "out" / "report.html").read_text())


def test_a_row_without_predictions_is_named_with_the_command(folders: list[Path], tmp_path: Path) -> None:
    shutil.rmtree(folders[1] / ENSEMBLE)
    command = f"skipx bench --test -d 4 -c 3d_fullres -tr {TRAINERS[1]} -p nnUNetPlans -f 0 1 2"
    with pytest.raises(FileNotFoundError) as refused:
        report([folders], list(FOLDS), tmp_path / "out", TEST)
    assert f"ensemble of folds 0-2 yet: {TRAINERS[1]}. Name" in str(refused.value)
    assert str(refused.value).endswith(f":\n  {command}")
    assert not (tmp_path / "out").exists()


def test_another_ensemble_is_no_equal(study: Study, folders: list[Path]) -> None:
    shutil.rmtree(folders[1] / ENSEMBLE)
    write_test_set(study, folders[1], (0, 1))
    with pytest.raises(FileNotFoundError, match=r"UTANet \(there is that of the ensemble of folds 0, 1\)\. Name"):
        compared(folders)
    write_test_set(study, folders[0], (0, 1))
    assert "ensemble of folds 0, 1;" in compared(folders).protocol, "the only one that all have"


def test_a_replicate_that_was_not_tested_is_refused_or_left_out(folders: list[Path]) -> None:
    shutil.rmtree(replicated(folders[0], 2) / ENSEMBLE)
    with pytest.raises(FileNotFoundError, match=r"nnUNetTrainer replicate 2\. (.|\n)*-f 0 1 2 --replicates 2$"):
        compared(folders)
    told = compared(folders, allow_missing=True).incomplete
    assert told.startswith("Incomplete: compared on the other replicates only, because these are missing or unreadable")
    assert told.endswith(": nnUNetTrainer replicate 2.")
    shutil.rmtree(folders[0] / ENSEMBLE)
    with pytest.raises(FileNotFoundError, match="the test set is not predicted by every model; missing: nnUNetTrainer"):
        compared(folders, allow_missing=True)


def test_other_cases_and_broken_summaries_are_refused_with_the_cure(folders: list[Path]) -> None:
    path = folders[1] / ENSEMBLE / "summary.json"
    summary = json.loads(path.read_text())
    gone = Path(summary["metric_per_case"].pop()["prediction_file"]).name.removesuffix(".nii.gz")
    path.write_text(json.dumps(summary))
    with pytest.raises(ValueError, match=rf"not tested on the same cases: 1 differ, .* case {gone} of the test set\."):
        compared(folders)
    path.write_text(path.read_text()[:200])
    with pytest.raises(ValueError, match=r"test_folds_0_1_2.summary.json is not valid JSON .*skipx bench --test -d 4"):
        compared(folders)
