"""The paragraph for a paper says what files tell, and marks what they do not."""

import dataclasses
import re
from datetime import date
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest

from nnunet_skipx import __version__
from nnunet_skipx.report.command import ReportOptions, report
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.methods import methods, methods_over
from nnunet_skipx.report.references import HOLM, NIKOLOV, SATTERTHWAITE
from nnunet_skipx.results.citations import NNUNET, citation
from nnunet_skipx.results.preregistration import Margin
from tests.made_up_study import FOLDS, TRAINERS, Study

HD95 = "HD95 (mm, found only)"


def test_every_number_of_a_reference_is_in_the_list_and_the_other_way_round(comparison: Comparison) -> None:
    training, evaluation, *references = methods(comparison)
    numbers = [text.split(" ")[0] for text in references]
    told = re.findall(r"\[\d+\]", f"{training} {evaluation}")
    assert numbers == list(dict.fromkeys(told)) == [f"[{number}]" for number in range(1, len(references) + 1)]
    assert NNUNET in references[0] and HOLM in " ".join(references)


def test_a_reference_that_is_not_known_is_marked_and_what_is_no_network_has_none(comparison: Comparison) -> None:
    training = methods(comparison)[0]
    assert training.startswith(
        "We compared UTANet [?] and atlas (no network) with nnUNetTrainer [1] on Dataset004_Hippocampus (12 cases) in "
        "a cross-validation of three folds. All networks were trained through nnU-Net [1] (3d_fullres with the plans "
        "nnUNetPlans) on the same folds, once in each."
    )


def test_versions_and_settings_are_told_once_where_they_are_the_same_and_by_row_where_not(
    comparison: Comparison,
) -> None:
    training, evaluation, *_ = methods(comparison)
    ours = f"nnunetv2 {version('nnunetv2')} and nnunet-skipx {__version__}"
    assert "PyTorch 2.0 for training; " in training and ours in training
    assert f"scipy {version('scipy')}" in evaluation
    noted = {
        TRAINERS[0]: {"torch": "2.0", "optimiser": "SGD, 0.01"},
        TRAINERS[1]: {"torch": "2.1", "optimiser": "SGD, 0.01"},
    }
    other = methods(dataclasses.replace(comparison, provenance=noted))[0]
    assert "PyTorch nnUNetTrainer 2.0; UTANet 2.1 for training" in other
    assert "Optimiser and learning rate: SGD, 0.01." in other


def test_the_test_is_told_as_it_was_made(comparison: Comparison) -> None:
    evaluation = methods(comparison)[1]
    assert "over fold means or over cases, whichever has the wider interval" in evaluation
    assert "within ± 0.003 Dice" in evaluation and "over 2 comparisons at a level of 0.05" in evaluation
    again = [comparison.table.assign(replicate=number) for number in (1, 2)]
    shifted = again[1].assign(value=again[1]["value"] * 0.99)
    twice = dataclasses.replace(comparison, table=pd.concat([again[0], shifted], ignore_index=True))
    assert "estimated from the replicates (degrees of freedom after Satterthwaite [2])" in methods(twice)[1]
    assert "on the same folds, twice in each." in methods(twice)[0] and f"[2] {SATTERTHWAITE}" in methods(twice)
    assert "where both rows have replicates" not in methods(twice)[1]
    mixed = methods(
        dataclasses.replace(comparison, table=pd.concat([again[0], shifted[shifted["row"].isin(TRAINERS)]]))
    )
    assert "where both rows have replicates, else over fold means or over cases" in mixed[1]
    one_fold = methods(dataclasses.replace(comparison, table=comparison.table.assign(fold=0)))[1]
    assert "it does not know the noise of training, so that nothing is decided" in one_fold
    few = comparison.table[comparison.table["case"].isin(["case_00", "case_01"])]
    assert "No difference could be tested" in methods(dataclasses.replace(comparison, table=few))[1]


def test_further_metrics_are_told_with_their_tools(comparison: Comparison) -> None:
    more = comparison.table.assign(metric="NSD (1 mm)")
    made = dataclasses.replace(comparison, table=pd.concat([comparison.table, more], ignore_index=True))
    told = methods(made)[1]
    assert re.search(r"Further metrics \[\d\], \[\d\]: NSD \(1 mm\) \(taken by NSD: MONAI ", told)
    assert f"MONAI {version('monai')})." in told and "less is better" not in told
    assert "adjusted within each metric but not over metrics" in told
    assert any(NIKOLOV in text for text in methods(made))
    off = comparison.table.assign(metric=HD95)
    distance = dataclasses.replace(comparison, table=pd.concat([comparison.table, off], ignore_index=True))
    assert f"Of {HD95} less is better." in methods(distance)[1]


def test_margin_patients_covariates_and_failures_are_told_with_their_tests(comparison: Comparison) -> None:
    cases = sorted(comparison.table["case"].unique())
    known = pd.DataFrame({"age": range(len(cases))}, cases).astype(float)
    margin = Margin(0.02, date(2025, 11, 20), "")
    patients = comparison.table.assign(cluster=comparison.table["case"].map(lambda case: f"p{int(case[-2:]) // 2}"))
    made = dataclasses.replace(
        comparison, table=patients, covariates=known, margins=[margin], incomplete="Incomplete: x."
    )
    training, told, *_ = methods(made)
    assert "Incomplete: x." in training and ".." not in f"{training} {told}"
    for words in (
        "The 12 cases are of 6 patients, who count as the sample.",
        "with a margin of 0.02 Dice (fixed before training on 2025-11-20) was tested by "
        "a one-sided t-test at 2.5 %, adjusted by Holm's method [",
        "A case counts as failed with a mean Dice below 0.5; failures were compared",
        "Whether the differences in Dice depend on age was tested by F-tests on ranks with an effect of every fold",
        "Rows were also ranked in every case by Dice",
    ):
        assert words in told
    plain = methods(comparison)[1]
    for absent in ("patients", "Non-inferiority", "F-tests"):
        assert absent not in plain


def test_the_model_over_data_sets_is_told_where_it_was_made(comparison: Comparison) -> None:
    other = dataclasses.replace(comparison, dataset="Dataset005_Other")
    paragraph, *references = methods_over([comparison, other])
    assert "combined over 2 data sets by a random-effects model" in paragraph and len(references) == 4
    assert methods_over([comparison]) == []


def test_a_twin_is_told_with_what_it_lacks(comparison: Comparison) -> None:
    twin = comparison.table[comparison.table["row"] == TRAINERS[0]].assign(row=f"{TRAINERS[1]}_without-head")
    made = dataclasses.replace(comparison, table=pd.concat([comparison.table, twin], ignore_index=True))
    assert "UTANet_without-head is a twin of UTANet without head at as many parameters." in methods(made)[0]


def test_a_mask_in_a_name_is_explained(comparison: Comparison) -> None:
    cut = comparison.table[comparison.table["row"] == TRAINERS[1]].assign(row="nnUNetTrainer_skips011")
    made = dataclasses.replace(comparison, table=pd.concat([comparison.table, cut], ignore_index=True))
    told = "In _skips011 a digit for each skip, full resolution first, says whether it is kept (1) or cut (0)."
    assert told in methods(made)[0] and "_skips" not in methods(comparison)[0]


def test_a_row_alone_is_evaluated_not_compared(comparison: Comparison) -> None:
    alone = dataclasses.replace(comparison, table=comparison.table[comparison.table["row"] == TRAINERS[0]])
    training, evaluation, *references = methods(alone)
    assert training.startswith("We evaluated nnUNetTrainer [1] on") and "t-test" not in evaluation
    assert references == [f"[1] {NNUNET}"]


@pytest.mark.parametrize(
    ("trainer", "begins"),
    [
        ("nnUNetTrainer_bf16", "Isensee F, "),
        ("nnUNetTrainerUDTransNet_twin", "Wang H, "),
        ("nnUNetTrainerUTANet", "Luo Z, "),
        ("nnUNetTrainerU2Net", "Huang C, "),
    ],
)
def test_a_trainers_reference_is_its_own(trainer: str, begins: str) -> None:
    assert citation(trainer).startswith(begins)


def test_a_trainer_that_is_not_found_has_no_reference() -> None:
    assert citation("nnUNetTrainerNobody") == ""


def test_page_markdown_and_json_carry_it(study: Study, tmp_path: Path) -> None:
    report([list(study.model_folders.values())], FOLDS, tmp_path, ReportOptions())
    for name in ("report.html", "report.md", "report.json"):
        written = (tmp_path / name).read_text()
        assert "in a cross-validation of three folds" in written and "Isensee F, Jaeger PF" in written
