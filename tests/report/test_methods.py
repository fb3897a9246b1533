"""The paragraph for a paper says what files tell, and marks what they do not."""

import dataclasses
import re
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest

from nnunet_skipx import __version__
from nnunet_skipx.report.command import ReportOptions, report
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.methods import HOLM, SATTERTHWAITE, methods, references_of
from nnunet_skipx.results.citations import NNUNET, citation
from tests.made_up_study import FOLDS, TRAINERS, Study


def test_every_number_of_a_reference_is_in_the_list_and_the_other_way_round(comparison: Comparison) -> None:
    *told, first, second, third = methods(comparison)
    listed = {text.split(" ")[0] for text in (first, second, third)}
    assert listed == set(re.findall(r"\[\d\]", " ".join(told))) == {"[1]", "[2]", "[3]"}
    assert NNUNET in first and HOLM in second


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
    assert "estimated from the replicates (degrees of freedom after Satterthwaite [4])" in methods(twice)[1]
    assert "on the same folds, twice in each." in methods(twice)[0] and SATTERTHWAITE in references_of(twice)


def test_further_metrics_are_told_with_their_tools(comparison: Comparison) -> None:
    more = comparison.table.assign(metric="NSD (1 mm)")
    made = dataclasses.replace(comparison, table=pd.concat([comparison.table, more], ignore_index=True))
    assert f"Further metrics: NSD (1 mm) (taken by NSD: MONAI {version('monai')})." in methods(made)[1]


def test_a_twin_is_told_with_what_it_lacks(comparison: Comparison) -> None:
    twin = comparison.table[comparison.table["row"] == TRAINERS[0]].assign(row=f"{TRAINERS[1]}_without-head")
    made = dataclasses.replace(comparison, table=pd.concat([comparison.table, twin], ignore_index=True))
    assert "UTANet_without-head is a twin of UTANet without head at as many parameters." in methods(made)[0]


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
