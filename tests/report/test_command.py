"""`skipx report`: all formats say the same, and what is not there is named."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from nnunet_skipx.datasets.protocol import KEY, Protocol
from nnunet_skipx.report.command import ReportOptions, report
from nnunet_skipx.report.exports import challenger, latex, markdown
from nnunet_skipx.results.find_models import find_models
from nnunet_skipx.system.files import finite
from tests.made_up_study import DATASET, FOLDS, TRAINERS, Study

OTHER = "Dataset005_Other"


@pytest.fixture(scope="module")
def out(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    report([list(study.model_folders.values())], FOLDS, folder, ReportOptions())
    return folder


@pytest.fixture
def two(study: Study, tmp_path: Path) -> list[list[Path]]:
    """The model folders of two data sets, which a test may damage."""
    for name in (DATASET, OTHER):
        shutil.copytree(study.results / DATASET, tmp_path / "results" / name)
    return [
        [tmp_path / "results" / name / folder.name for folder in study.model_folders.values()]
        for name in (DATASET, OTHER)
    ]


def test_every_format_is_written(out: Path) -> None:
    assert sorted(path.name for path in out.iterdir()) == [
        "cases.csv",
        "cases.parquet",
        "challenger.csv",
        "report.html",
        "report.json",
        "report.md",
        "report.tex",
    ]


def test_all_formats_show_the_same_numbers(out: Path) -> None:
    (content,) = json.loads((out / "report.json").read_text())["comparisons"]
    assert [row["name"] for row in content["rows"]] == list(TRAINERS)
    cases = pd.read_csv(out / "cases.csv")
    for row in content["rows"]:
        mine = cases[cases["row"] == row["name"]]
        assert row["mean"]["value"] == pytest.approx(mine.groupby("case")["value"].mean().mean())
        shown = f"{row['mean']['value']:.3f} [{row['mean']['low']:.3f}, {row['mean']['high']:.3f}]"
        for name in ("report.html", "report.md", "report.tex"):
            assert shown in (out / name).read_text()
    assert [(c["row"], c["against"]) for c in content["contrasts"]] == [(TRAINERS[1], TRAINERS[0])]
    assert set(content["ranking"]) == set(TRAINERS)


def test_parquet_holds_what_csv_holds(out: Path) -> None:
    parquet, csv = pd.read_parquet(out / "cases.parquet"), pd.read_csv(out / "cases.csv")
    pd.testing.assert_frame_equal(parquet, csv, check_dtype=False)


def test_challenger_has_a_task_per_class_and_every_case_of_every_algorithm(out: Path) -> None:
    table = pd.read_csv(out / "challenger.csv")
    assert list(table.columns) == ["task", "case", "algorithm", "value"]
    assert set(table["task"]) == {f"{DATASET} {label} Dice" for label in ("Anterior", "Posterior")}
    assert not table.duplicated(["task", "case", "algorithm"]).any()
    cases = pd.read_csv(out / "cases.csv")
    pd.testing.assert_frame_equal(challenger(cases), table)
    again = cases.assign(replicate=2, value=cases["value"] + 0.1)
    both = challenger(pd.concat([cases, again]))
    pd.testing.assert_series_equal(both["value"], table["value"] + 0.05)


def test_the_stock_trainer_is_the_baseline_unless_another_is_named(study: Study, tmp_path: Path) -> None:
    swapped = [[study.model_folder(trainer) for trainer in reversed(TRAINERS)]]
    assert re.search(rf"{TRAINERS[0]} .*baseline", report(swapped, FOLDS, tmp_path, ReportOptions()))
    named = ReportOptions(baseline=TRAINERS[1])
    assert re.search(rf"{TRAINERS[1]} .*baseline", report(swapped, FOLDS, tmp_path, named))
    with pytest.raises(ValueError, match="none of the rows: nnUNetTrainerUTANet, nnUNetTrainer"):
        report(swapped, FOLDS, tmp_path, ReportOptions(baseline="nnUNet"))


@pytest.mark.slow
def test_several_data_sets_make_one_report_with_a_consensus(two: list[list[Path]], tmp_path: Path) -> None:
    text = report(two, FOLDS, tmp_path / "out", ReportOptions())
    assert "Across data sets" in text
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [part["dataset"] for part in content["comparisons"]] == [DATASET, OTHER]
    assert set(content["consensus"]["mean_place"]) == set(TRAINERS)
    assert set(pd.read_csv(tmp_path / "out" / "cases.csv")["dataset"]) == {DATASET, OTHER}


def test_what_is_missing_marks_the_whole_report(two: list[list[Path]], tmp_path: Path) -> None:
    (two[0][1] / "fold_1" / "validation" / "summary.json").unlink()
    with pytest.raises(FileNotFoundError, match="not validated yet: nnUNetTrainerUTANet fold 1"):
        report(two, FOLDS, tmp_path / "out", ReportOptions())
    assert not (tmp_path / "out").exists()
    text = report(two, FOLDS, tmp_path / "out", ReportOptions(allow_missing=True))
    for written in (
        text,
        *((tmp_path / "out" / name).read_text() for name in ("report.html", "report.json", "report.md", "report.tex")),
    ):
        assert "Incomplete: compared on fold 0, 2 only" in written
    assert (
        "<title>Cross-validation on Dataset004_Hippocampus, Dataset005_Other (incomplete)</title>"
        in (tmp_path / "out" / "report.html").read_text()
    )


def test_nan_everywhere_is_shown_as_such_and_spoils_nothing_else(two: list[list[Path]], tmp_path: Path) -> None:
    for fold in FOLDS:
        path = two[0][1] / f"fold_{fold}" / "validation" / "summary.json"
        text = re.sub(r'"(TP|FP|FN|n_pred|n_ref)": \d+', r'"\1": 0', path.read_text())
        path.write_text(re.sub(r'"Dice": [\d.]+', '"Dice": NaN', text))
    report(two[:1], FOLDS, tmp_path / "out", ReportOptions())
    first, second = json.loads((tmp_path / "out" / "report.json").read_text())["comparisons"][0]["rows"]
    assert first["mean"]["n"] == 12 and first["mean"]["value"] > 0
    assert (second["mean"]["n"], second["mean"]["value"], second["mean"]["dropped"]) == (0, None, 12)


def test_names_of_a_file_are_text_in_every_format(two: list[list[Path]], tmp_path: Path) -> None:
    name = r"P \input{/etc/passwd} <script>alert(1)</script> $x$"
    protocol = Protocol(name, "data", ()).as_json()
    labels = {"background": 0, "=1+1": 1, "$a$ <b>": 2}
    for folder in two[0]:
        path = folder / "dataset.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {KEY: protocol, "labels": labels}))
    text = report(two[:1], FOLDS, tmp_path / "out", ReportOptions())
    assert name in text
    found = {path.name: path.read_text() for path in (tmp_path / "out").iterdir() if path.suffix != ".parquet"}
    assert r"P \textbackslash{}input\{/etc/passwd\} <script>alert(1)</script> \$x\$" in found["report.tex"]
    assert r"P \\input{/etc/passwd} \<script>alert(1)\</script> \$x\$" in found["report.md"]
    assert "<script>" not in found["report.html"]
    assert ",'=1+1," in found["cases.csv"] and ",=1+1" not in found["cases.csv"]


def test_a_data_set_that_is_named_twice_is_refused(two: list[list[Path]], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a data set is named twice"):
        report([two[0], two[0]], FOLDS, tmp_path / "out", ReportOptions())
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_other_conventions_are_named_and_change_the_numbers(study: Study, tmp_path: Path) -> None:
    folders = [list(study.model_folders.values())]
    means = {}
    for convention in ("nnunet", "transunet", "udtransnet"):
        options = ReportOptions(convention=convention, references=study.labels)  # type: ignore[arg-type]
        report(folders, FOLDS, tmp_path, options)
        content = json.loads((tmp_path / "report.json").read_text())["comparisons"][0]
        assert convention in content["convention"].replace("-", "").lower()
        means[convention] = content["rows"][0]["per_class"]["Posterior"]
    assert means["transunet"]["value"] == pytest.approx(means["nnunet"]["value"] * 11 / 12)
    assert [means[name]["dropped"] for name in means] == [1, 0, 0]
    assert means["udtransnet"]["value"] > means["nnunet"]["value"]


def test_the_rope_and_the_command_of_the_options_are_those_of_the_report(study: Study, tmp_path: Path) -> None:
    options = ReportOptions(rope=0.123, command="skipx report of mine")
    report([list(study.model_folders.values())], FOLDS, tmp_path, options)
    content = json.loads((tmp_path / "report.json").read_text())["comparisons"][0]
    assert content["rope"] == 0.123
    page = (tmp_path / "report.html").read_text()
    assert "two one-sided t-tests: that it is not within 0.123" in page and "skipx report of mine" in page


def test_wrong_options_are_refused_with_the_cure(two: list[list[Path]], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--rope -1 is no region"):
        ReportOptions(rope=-1)
    with pytest.raises(ValueError, match="--nsd-mm has 3 values: give one for all data sets, or 2"):
        report(two, FOLDS, tmp_path, ReportOptions(nsd_mm=[1, 2, 3]))
    with pytest.raises(ValueError, match="--references is the folder of one data set"):
        report(two, FOLDS, tmp_path, ReportOptions(references=tmp_path))
    assert [ReportOptions(nsd_mm=[1, 2]).tolerance(position, 2) for position in (0, 1)] == [1, 2]
    assert ReportOptions(nsd_mm=[3]).tolerance(1, 2) == 3


def test_models_are_found_by_id_or_name_in_the_order_asked_for(study: Study) -> None:
    every = find_models(study.results, "4", ["3d_fullres"], None, None)
    assert every == find_models(study.results, DATASET, ["3d_fullres"], None, ["nnUNetPlans"])
    assert every == [study.model_folder(trainer) for trainer in sorted(TRAINERS)]
    asked = find_models(study.results, "4", ["3d_fullres"], [TRAINERS[1], TRAINERS[0]], None)
    assert asked == [study.model_folder(TRAINERS[1]), study.model_folder(TRAINERS[0])]


def test_the_stock_trainers_come_first_unless_an_order_is_asked_for(tmp_path: Path) -> None:
    for trainer in ("nnUNetTrainerUTANet_demo", "nnUNetTrainer_demo", "nnUNetTrainerUTANet", "nnUNetTrainer"):
        (tmp_path / DATASET / f"{trainer}__nnUNetPlans__2d").mkdir(parents=True)
    names = [path.name.split("__")[0] for path in find_models(tmp_path, "4", ["2d"], None, None)]
    assert names == ["nnUNetTrainer", "nnUNetTrainer_demo", "nnUNetTrainerUTANet", "nnUNetTrainerUTANet_demo"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("5", ["3d_fullres"], None, None), f"data set '5' has no results in .*there are: {DATASET}"),
        (("4", ["2d"], None, None), "(?s)no results of any model.*nnUNetTrainer__nnUNetPlans__3d_fullres"),
        (("4", ["3d_fullres"], ["nnUNetTrainer", "nnUNetTrainerX"], None), "no results of nnUNetTrainerX"),
        (("4", ["3d_fullres"], None, ["otherPlans"]), "no results of any model"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(study: Study, arguments: tuple, message: str) -> None:
    with pytest.raises(FileNotFoundError, match=message):
        find_models(study.results, *arguments)


def test_json_has_no_nan_and_markdown_no_stray_bar() -> None:
    assert finite({"a": [float("nan"), float("inf"), 1.0, None]}) == {"a": [None, None, 1.0, None]}
    assert markdown(pd.DataFrame([{"a|b": "c|d"}])).splitlines()[2] == "| c\\|d |"


def test_latex_escapes_the_caption_and_the_cells() -> None:
    text = latex("Dataset004_X, 95 %", pd.DataFrame([{"Row": "a_b & c"}]))
    assert r"Dataset004\_X, 95 \%" in text and r"a\_b \& c" in text
