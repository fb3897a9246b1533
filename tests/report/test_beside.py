"""What stands beside the verdicts: the same words in every format, and honest where nothing is known."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nnunet_skipx.report.command import ReportOptions, case_files, read_comparison, report
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.page import terminal_text
from nnunet_skipx.report.sections.claims import claims_section
from nnunet_skipx.report.sections.covariates import covariate_section
from nnunet_skipx.results.preregistration import FILE
from tests.made_up_study import CASES, DATASET, FOLDS, TRAINERS, Study

FORMATS = ("report.html", "report.md", "report.tex")
OTHER = "Dataset005_Other"


def folders(study: Study) -> list[list[Path]]:
    return [list(study.model_folders.values())]


def write_csv(path: Path, **columns: list) -> Path:
    pd.DataFrame({"case": CASES, **columns}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def told(study: Study, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """With everything that can stand beside: the terminal's text and the folder of the formats."""
    out = tmp_path_factory.mktemp("beside")
    known = write_csv(out / "known.csv", centre=["A", "B"] * 6, age=[float(n) for n in range(12)])
    options = ReportOptions(covariates=[known], margin=0.5, failure=0.9)
    return report(folders(study), FOLDS, out, options), out


def test_every_format_has_tails_claims_and_covariates_in_the_same_words(told: tuple[str, Path]) -> None:
    _, out = told
    for name in FORMATS:
        text = (out / name).read_text()
        for words in ("False claim: the probability", "5th percentile", "McNemar", "By covariates", "Worst cases"):
            assert words in text, f"{name} lacks {words}"
    (content,) = json.loads((out / "report.json").read_text())["comparisons"]
    assert [effect["covariate"] for effect in content["covariates"]] == ["centre", "age"]
    assert [group["category"] for group in content["covariates"][0]["groups"]] == ["A", "B"]
    assert sum(group["difference"]["interval"]["n"] for group in content["covariates"][1]["groups"]) == 12
    assert content["failure_threshold"] == 0.9 and len(content["tails"]) == 2


def test_the_probability_of_a_false_claim_is_half_the_p_before_adjustment(told: tuple[str, Path]) -> None:
    (content,) = json.loads((told[1] / "report.json").read_text())["comparisons"]
    (claim,), (contrast,) = content["claims"], content["contrasts"]
    assert claim["false_claim"] == pytest.approx(contrast["difference"]["p"] / 2)
    assert sum(claim["signed_rank"].values()) == pytest.approx(1)


def test_a_margin_that_was_not_fixed_before_says_so_in_every_format(told: tuple[str, Path]) -> None:
    text, out = told
    words = "The margin of 0.5 Dice is not preregistered: skipx bench --margin wrote none before training."
    for written in (text, *((out / name).read_text() for name in FORMATS)):
        assert " ".join(words.split()) in " ".join(written.split())
    claim = "by more than the margin (0.5 Dice, not preregistered)"
    sentence = f"{TRAINERS[1]} is not worse than {TRAINERS[0]} {claim}"
    assert sentence in text and claim in (out / "report.html").read_text()
    assert sentence in json.loads((out / "report.json").read_text())["comparisons"][0]["further_sentences"][1]


def promise(results: Path, date: str, margin: float) -> None:
    pairs = [[f"{trainer}__nnUNetPlans__3d_fullres" for trainer in reversed(TRAINERS)]]
    path = results / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([{"date": date, "margin": margin, "comparisons": {DATASET: pairs}}]))


def copied(study: Study, tmp_path: Path) -> list[list[Path]]:
    shutil.copytree(study.results / DATASET, tmp_path / "results" / DATASET)
    return [[tmp_path / "results" / DATASET / folder.name for folder in study.model_folders.values()]]


def judged(mine: list[list[Path]], tmp_path: Path, options: ReportOptions) -> tuple[str, Comparison]:
    """The terminal's text without the pictures, and what it is made from."""
    made = [
        read_comparison(mine[n], FOLDS, tmp_path, options, None, case_files(options, n, len(mine)))
        for n in range(len(mine))
    ]
    return terminal_text(made), made[0]


def test_a_margin_fixed_before_training_is_read_and_dated(study: Study, tmp_path: Path) -> None:
    mine = copied(study, tmp_path)
    promise(tmp_path / "results", "2025-11-20T12:00:00+01:00", 0.4)  # a day before the logs
    text, comparison = judged(mine, tmp_path, ReportOptions())
    assert "The margin of 0.4 Dice was fixed before training on 2025-11-20." in text
    assert "by more than the margin (0.4 Dice, fixed before training on 2025-11-20)" in text
    assert comparison.margin is not None and comparison.margin.preregistered
    other, _ = judged(mine, tmp_path, ReportOptions(margin=0.3))
    assert "0.3 Dice is not preregistered: --margin 0.3 differs from the 0.4 fixed on 2025-11-20" in other


def test_a_margin_written_after_training_began_is_not_preregistered(study: Study, tmp_path: Path) -> None:
    mine = copied(study, tmp_path)
    promise(tmp_path / "results", "2025-11-22T12:00:00+01:00", 0.4)
    text, _ = judged(mine, tmp_path, ReportOptions())
    assert "not preregistered: training began on 2025-11-21 02:19, before it was written on 2025-11-22 12:00" in text


def test_without_margin_and_covariates_nothing_is_said_of_them(study: Study, tmp_path: Path) -> None:
    text, comparison = judged(folders(study), tmp_path, ReportOptions())
    assert "margin" not in text and "depend" not in text
    assert not covariate_section(comparison).is_shown
    assert "Margin" not in " ".join(claims_section(comparison).table)


def test_patients_are_the_sample_where_they_have_several_cases(study: Study, tmp_path: Path) -> None:
    patients = write_csv(tmp_path / "patients.csv", patient=[f"p{n // 2}" for n in range(12)])
    text, comparison = judged(folders(study), tmp_path, ReportOptions(clusters=[patients]))
    assert "The 12 cases are of 6 patients (patients.csv), who count as the sample." in text
    assert "12 cases of 6 patients" in text and "have cases in several folds, such as p0" in text
    assert comparison.contrasts[0].difference.interval.clusters == 6
    assert comparison.rows[0].mean.clusters == 6 and "cluster" in comparison.table
    few = write_csv(tmp_path / "few.csv", patient=[f"p{n // 3}" for n in range(12)])
    text, _ = judged(folders(study), tmp_path, ReportOptions(clusters=[few]))
    assert "12 cases of 4 patients with a value are too few for an interval, which takes 6 patients." in text


def test_the_patients_of_a_converted_data_set_are_known(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tmp_path / "raw" / DATASET
    raw.mkdir(parents=True)
    monkeypatch.setenv("nnUNet_raw", str(raw.parent))
    for patients, words in (({c: f"p{n // 2}" for n, c in enumerate(CASES)}, True), ({c: c for c in CASES}, False)):
        (raw / "provenance.json").write_text(json.dumps({"patients": patients}))
        text, _ = judged(folders(study), tmp_path, ReportOptions())
        assert ("6 patients (provenance.json)" in text) == words


@pytest.mark.slow
def test_data_sets_are_judged_together_by_a_model(study: Study, tmp_path: Path) -> None:
    for name in (DATASET, OTHER):
        shutil.copytree(study.results / DATASET, tmp_path / "results" / name)
    two = [[tmp_path / "results" / n / f.name for f in study.model_folders.values()] for n in (DATASET, OTHER)]
    text = report(two, FOLDS, tmp_path / "out", ReportOptions())
    assert "Over data sets, " in text and "random-effects model" in text
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    (pooled,) = content["over_datasets"]
    assert pooled["datasets"] == [DATASET, OTHER] and pooled["low"] <= pooled["value"] <= pooled["high"]
    values = [c["contrasts"][0]["difference"]["interval"]["value"] for c in content["comparisons"]]
    assert pooled["value"] == pytest.approx(np.mean(values))
    for name in FORMATS:
        assert "Over data sets" in (tmp_path / "out" / name).read_text()


def test_wrong_margins_and_thresholds_are_refused() -> None:
    with pytest.raises(ValueError, match="--margin 2 is no margin"):
        ReportOptions(margin=2)
    with pytest.raises(ValueError, match="--failure 0 is no Dice"):
        ReportOptions(failure=0)
