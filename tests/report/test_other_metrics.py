"""Metrics other than Dice: no format shows one without its setting, its direction, and what took it."""

import json
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest

from nnunet_skipx import __version__
from nnunet_skipx.cli.main import build_parser
from nnunet_skipx.cli.report import lesion_rule
from nnunet_skipx.report.command import ReportOptions, report
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.exports import comparison_json
from nnunet_skipx.report.other_metrics import metric_reading
from nnunet_skipx.report.sections.metrics import size_section
from nnunet_skipx.report.tables import calibration_table, metric_table
from nnunet_skipx.results.lesions import LesionRule
from nnunet_skipx.results.sizes import Sizes
from nnunet_skipx.statistics.metric import metric_of
from tests.made_up_study import DATASET, DATASET_JSON, FOLDS, TRAINERS, Study


@pytest.fixture(scope="module")
def out(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with all metrics of label maps."""
    folder = tmp_path_factory.mktemp("out")
    options = ReportOptions(nsd_mm=[1.5], lesions=LesionRule(0.1, 3), references=study.labels)
    report([list(study.model_folders.values())], FOLDS, folder, options)
    return folder


@pytest.fixture(scope="module")
def comparison(out: Path) -> Comparison:
    return Comparison(DATASET, pd.read_csv(out / "cases.csv"), TRAINERS[0], DATASET_JSON)


def test_nsd_has_its_tolerance_and_lesions_their_rule_in_every_format(out: Path) -> None:
    for name in ("cases.csv", "challenger.csv", "report.json", "report.html"):
        text = (out / name).read_text().replace("&gt;", ">").replace("\\u003e", ">")
        assert "NSD (1.5 mm)" in text and "lesion PQ (IoU > 0.1, 3 mm3 or more)" in text, name
    metrics = set(pd.read_parquet(out / "cases.parquet")["metric"])
    assert {"NSD (1.5 mm)", "lesion F1 (IoU > 0.1, 3 mm3 or more)"} <= metrics


def test_challenger_files_hold_tasks_of_one_direction(out: Path) -> None:
    metrics = set(pd.read_csv(out / "cases.csv")["metric"])
    for name, sign in (("challenger.csv", 1), ("challenger_small_better.csv", -1)):
        tasks = set(pd.read_csv(out / name)["task"])
        expected = {metric for metric in metrics if metric_of(metric).sign == sign}
        assert tasks == {f"{DATASET} {label} {metric}" for label in ("Anterior", "Posterior") for metric in expected}


def test_the_table_says_which_way_is_better_and_ranks_accordingly(comparison: Comparison) -> None:
    table = metric_table(comparison).set_index(["Metric", "Row"])
    for metric in table.index.unique("Metric"):
        assert set(table.loc[metric, "Better"]) == {metric_of(metric).better}
    assert set(table.loc["volume error", "Verdict"]) == {"–"}
    assert "Mean rank" not in table
    again = comparison.table[comparison.table["row"] == TRAINERS[0]].assign(row="third")
    three = metric_table(Comparison(DATASET, pd.concat([comparison.table, again]), TRAINERS[0], DATASET_JSON))
    ranks = three.set_index(["Metric", "Row"])["Mean rank"]
    assert ranks["volume error"].tolist() == ["–"] * 3
    first, second, third = ranks["HD95 (mm, found only)"].astype(float)
    assert first == third and first + second + third == pytest.approx(6)
    # The second row is exact in every other case and two voxels off in the rest, the others are one off in all.
    assert second == pytest.approx(2, abs=0.5)


def test_the_json_has_direction_and_rank(out: Path) -> None:
    (content,) = json.loads((out / "report.json").read_text())["comparisons"]
    lines = {(line["metric"], line["row"]): line for line in content["other_metrics"]}
    line = lines["HD95 with misses (mm, image diagonal)", TRAINERS[1]]
    assert line["better"] == "lower" and 1 <= line["mean_rank"] <= 2
    interval, difference = line["contrast"]["difference"]["interval"], line["contrast"]["difference"]
    assert (difference["wins"] > difference["losses"]) == (interval["value"] < 0)


def test_the_caption_names_conventions_and_tools_of_what_is_in_the_table(comparison: Comparison, out: Path) -> None:
    told = metric_reading(comparison)
    assert "counts as the diagonal of the image in mm" in told and "matched one to one" in told
    assert f"NSD, HD95, HD95 with misses: MONAI {version('monai')}" in told
    assert (
        f"SciPy {version('scipy')}" in told
        and f"IoU, volume error, absolute volume error: nnU-Net {version('nnunetv2')}" in told
    )
    plain = comparison.table[comparison.table["metric"].isin(["Dice", "IoU"])]
    told = metric_reading(Comparison(DATASET, plain, TRAINERS[0], DATASET_JSON))
    assert "NSD" not in told and "esion" not in told and "MONAI" not in told
    assert calibration_table(comparison).empty
    caption = f"Dice: nnU-Net {version('nnunetv2')}, table: nnunet-skipx {__version__}."
    assert caption in (out / "report.md").read_text() and caption in (out / "report.tex").read_text()


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ([], None),
        (["--lesions"], LesionRule(0.5, 0)),
        (["--lesion-iou", "0.1"], LesionRule(0.1, 0)),
        (["--lesion-min-mm3", "3"], LesionRule(0.5, 3)),
        (["--lesions", "--lesion-iou", "0", "--lesion-min-mm3", "2.5"], LesionRule(0, 2.5)),
    ],
)
def test_each_option_of_lesions_asks_for_them(options: list[str], rule: LesionRule | None) -> None:
    args = build_parser().parse_args(["report", "-d", "4", *options])
    assert lesion_rule(args.lesions, args.lesion_iou, args.lesion_min_mm3) == rule


def test_large_studies_have_a_table_by_size() -> None:
    cells = [(row, 1, case % 5, f"c{case}", "liver", "Dice") for row in TRAINERS for case in range(30)]
    table = pd.DataFrame(cells, columns=["row", "replicate", "fold", "case", "label", "metric"]).assign(
        plans="P", configuration="c"
    )
    table["value"] = [0.6 + case / 100 + (row == "B") * case / 1000 for row in "AB" for case in range(30)]
    sizes = table.loc[table["row"] == TRAINERS[0], ["fold", "case", "label"]].assign(size=range(1, 31))
    comparison = Comparison(DATASET, table, TRAINERS[0], DATASET_JSON, sizes=Sizes(sizes, "ml"))
    section = size_section(comparison)
    assert section.is_shown and section.table is not None
    assert section.table["Structures"].tolist()[::2] == [
        "small: 10 of 1 to 10 ml",
        "middle: 10 of 11 to 20 ml",
        "large: 10 of 21 to 30 ml",
    ]
    assert section.table["Mean"].str[:5].tolist()[::2] == ["0.645", "0.745", "0.845"]
    assert section.table["Verdict"].tolist()[1::2] == ["better"] * 3
    assert [line["third"] for line in comparison_json(comparison)["by_size"]][::2] == ["small", "middle", "large"]
    assert not size_section(Comparison(DATASET, table, TRAINERS[0], DATASET_JSON)).is_shown
