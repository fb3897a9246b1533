"""What stands beside the verdicts: the same words in every format, and honest where nothing is known."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nnunet_skipx.cli.main import build_parser
from nnunet_skipx.report.command import ReportOptions, case_files, read_comparison, report
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.covariates import covariate_sentences
from nnunet_skipx.report.page import terminal_text
from nnunet_skipx.report.sections.claims import margin_section
from nnunet_skipx.report.sections.covariates import covariate_section
from nnunet_skipx.report.sections.metrics import size_section
from nnunet_skipx.report.sections.tails import tails_section
from nnunet_skipx.results.preregistration import FILE
from nnunet_skipx.statistics.subgroups import CovariateEffect
from tests.made_up_study import CASES, DATASET, FOLDS, TRAINERS, Study

FORMATS = ("report.html", "report.md", "report.tex")
MISSES = "HD95 with misses (mm, image diagonal)"
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
    options = ReportOptions(covariates=[known], margins={"Dice": 0.5}, failure={"Dice": 0.9})
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
    assert [tail["threshold"] for tail in content["tails"]] == [0.9, 0.9]


def test_the_probability_of_a_false_claim_is_half_the_p_before_adjustment(told: tuple[str, Path]) -> None:
    (content,) = json.loads((told[1] / "report.json").read_text())["comparisons"]
    (claim,), (contrast,) = content["claims"], content["contrasts"]
    assert claim["false_claim"] == pytest.approx(contrast["difference"]["p"] / 2)
    assert sum(claim["signed_rank"].values()) == pytest.approx(1)


def test_a_margin_that_was_not_fixed_before_says_so_in_every_format(told: tuple[str, Path]) -> None:
    text, out = told
    words = (
        "The margin of 0.5 Dice is not preregistered: skipx bench --margin wrote none in this metric before training."
    )
    for written in (text, *((out / name).read_text() for name in FORMATS)):
        assert " ".join(words.split()) in " ".join(written.split())
    claim = "by more than the margin (0.5 Dice, not preregistered)"
    sentence = f"{TRAINERS[1]} is not worse than {TRAINERS[0]} {claim}"
    assert sentence in text and claim in (out / "report.html").read_text()
    assert sentence in json.loads((out / "report.json").read_text())["comparisons"][0]["further_sentences"][1]


def promise(results: Path, date: str, margin: float, metric: str = "Dice") -> None:
    pairs = [[f"{trainer}__nnUNetPlans__3d_fullres" for trainer in reversed(TRAINERS)]]
    path = results / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([{"date": date, "margin": margin, "metric": metric, "comparisons": {DATASET: pairs}}]))


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
    assert [margin.preregistered for margin in comparison.margins] == [True]
    other, _ = judged(mine, tmp_path, ReportOptions(margins={"Dice": 0.3}))
    assert "0.3 Dice is not preregistered: --margin 0.3 differs from the 0.4 fixed on 2025-11-20" in other


def in_detail(study: Study, tmp_path: Path, **options: Any) -> tuple[str, Comparison]:
    """With boundary metrics."""
    asked = ReportOptions(nsd_mm=[1.0], references=study.labels, **options)
    made = [read_comparison(folders(study)[0], FOLDS, tmp_path, asked, 1.0, case_files(asked, 0, 1))]
    return terminal_text(made), made[0]


def test_every_metric_in_detail_has_tails_covariates_and_its_own_margin(study: Study, tmp_path: Path) -> None:
    known = write_csv(tmp_path / "known.csv", centre=["A", "B"] * 6)
    margins, failure = {"Dice": 0.5, "NSD": 0.4, "HD95 with misses": 3.0}, {"HD95 with misses": 1.5}
    text, made = in_detail(study, tmp_path, margins=margins, failure=failure, covariates=[known])
    assert made.in_detail == ["Dice", "NSD (1 mm)", MISSES]
    assert [claim.metric for _, claim in made.margin_claims] == made.in_detail
    assert f"by more than the margin (3 in {MISSES}, not preregistered): mean {MISSES} difference" in text
    assert {effect.metric for effect in made.covariate_effects} == set(made.in_detail)
    table = tails_section(made).table
    assert table is not None
    cells = table.set_index(["Metric", "Row"])
    assert cells.loc[("NSD (1 mm)", TRAINERS[0]), "Failures"] == "–"
    off, half_off = (cells.loc[(MISSES, trainer), ["Percentile", "Failures"]] for trainer in TRAINERS)
    assert off.tolist()[1] == "0 of 12 (0.0 %) > 1.5" and half_off.tolist()[1].startswith("6 of 12 (50.0 %)")
    assert half_off["Percentile"] == "95th: 2.000"


def test_what_a_metric_cannot_tell_stands_beside_it(study: Study, tmp_path: Path) -> None:
    _, made = in_detail(study, tmp_path, metrics=["volume error", "HD95"])
    told = tails_section(made).reading
    assert "Of volume error neither end is bad, so that it has no tail." in told
    assert "HD95 (mm, found only) is of what was found only: who misses a structure has none there." in told
    assert {tail.metric for tail in made.tails} == {"Dice", "HD95 (mm, found only)"}
    assert "neither end" not in size_section(made).reading


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"margins": {"NSD": 0.02}}, "--margin names NSD, but taken are Dice only: add --nsd-mm with its tolerance"),
        ({"failure": {"HD95": 5.0}}, "--failure names HD95.*add --nsd-mm"),
        ({"metrics": ["lesion F1"]}, "--metrics names lesion F1.*add --lesions"),
        ({"metrics": ["ECE"]}, "--metrics names ECE.*add --calibration"),
    ],
)
def test_a_metric_that_was_not_taken_is_named_with_what_takes_it(
    study: Study, tmp_path: Path, options: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        judged(folders(study), tmp_path, ReportOptions(**options))


def test_a_promise_in_a_metric_that_was_not_taken_is_told_and_not_used_for_dice(study: Study, tmp_path: Path) -> None:
    mine = copied(study, tmp_path)
    promise(tmp_path / "results", "2025-11-20T12:00:00+01:00", 0.02, "NSD (1 mm)")
    text, comparison = judged(mine, tmp_path, ReportOptions())
    assert "0.02 in NSD (1 mm) was fixed before training on 2025-11-20. It is not tested: no row has NSD (1 mm)" in text
    assert not comparison.margin_claims and not margin_section(comparison).is_shown


def test_a_margin_written_after_training_began_is_not_preregistered(study: Study, tmp_path: Path) -> None:
    mine = copied(study, tmp_path)
    promise(tmp_path / "results", "2025-11-22T12:00:00+01:00", 0.4)
    text, _ = judged(mine, tmp_path, ReportOptions())
    assert "not preregistered: training began on 2025-11-21 02:19, before it was written on 2025-11-22 12:00" in text


def test_without_margin_and_covariates_nothing_is_said_of_them(study: Study, tmp_path: Path) -> None:
    text, comparison = judged(folders(study), tmp_path, ReportOptions())
    assert "margin" not in text and "depend" not in text
    assert not covariate_section(comparison).is_shown
    assert not margin_section(comparison).is_shown


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
    with pytest.raises(ValueError, match="--margin 2 is no margin: give a difference in Dice"):
        ReportOptions(margins={"Dice": 2})
    with pytest.raises(ValueError, match="--failure 0 is no Dice"):
        ReportOptions(failure={"Dice": 0})
    assert ReportOptions(margins={"HD95": 2}, failure={"HD95": 20})
    for option in ("margins", "failure"):
        with pytest.raises(ValueError, match="volume error: neither more nor less of it is better"):
            ReportOptions(**{option: {"volume error": 0.1}})


def test_metrics_that_depend_on_nothing_share_a_sentence() -> None:
    effects = [
        CovariateEffect(metric, "B", "A", "age {x}", p, tests, 20, False, ())
        for metric, p, tests in (("Dice", 0.2, 2), ("IoU", 0.3, 2), ("NSD (1 mm)", 0.01, 2), (MISSES, np.nan, 0))
    ]
    test = "F-test on ranks, beside the folds, Holm over 2 tests in a metric"
    assert covariate_sentences(effects) == [
        f"The difference in NSD (1 mm) between B and A depends on age {{x}}: p = 0.010, {test}.",
        f"No difference in Dice, IoU is shown to depend on age {{x}} ({test}).",
        f"Whether a difference in {MISSES} depends on age {{x}} cannot be tested with these cases.",
    ]


def test_the_command_names_metrics_as_users_write_them(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [
        "report",
        "-d",
        "4",
        "--margin",
        "0.01",
        "nsd=0.02",
        "--failure",
        "hd95-with-misses=20",
        "--metrics",
        "IoU",
    ]
    args = build_parser().parse_args(asked)
    assert (args.margin, args.failure) == ({"Dice": 0.01, "NSD": 0.02}, {"HD95 with misses": 20.0})
    assert args.metrics == ["IoU"] and build_parser().parse_args(["report", "-d", "4"]).margin == {}
    for wrong, told in (
        (["--margin", "0.01", "dice=0.02"], "Dice has two values: give one"),
        (["--margin", "ASSD=1"], "nothing is known of the metric 'ASSD'; known are Dice"),
        (["--failure", "NSD=no"], "'no' is no number above 0"),
        (["--metrics", "NSD", "nsd"], "NSD is named twice"),
    ):
        with pytest.raises(SystemExit):
            build_parser().parse_args(["report", "-d", "4", *wrong])
        assert told in " ".join(capsys.readouterr().err.split())
