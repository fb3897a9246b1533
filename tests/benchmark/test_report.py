"""report: one file that opens anywhere and shows what it was given."""
import dataclasses
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from nnunet_skipx.benchmark.atlas import ATLAS, atlas_table
from nnunet_skipx.benchmark.collect import collect
from nnunet_skipx.benchmark.cost import Cost
from nnunet_skipx.benchmark.report import ReportInput, terminal_table, write_report
from nnunet_skipx.benchmark.training_log import read_training_log
from tests.benchmark.conftest import DATASET, DATASET_JSON, FOLDS, TRAINERS, Study

SECTIONS = [
    "Result", f"Comparisons with {TRAINERS[0]}", "Cost and fold means", "Dice per case", "Difference per case",
    "Slices", "Training", "Expert usage", "Settings and versions",
]  # fmt: skip
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page(HTMLParser):
    """Headings, text, and every address that a page refers to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "data") and value]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def inputs(study: Study) -> ReportInput:
    table = collect(list(study.model_folders.values()), FOLDS)
    atlas = atlas_table(study.labels, study.splits, FOLDS, DATASET_JSON, DATASET)
    logs = {trainer: {fold: read_training_log(folder / f"fold_{fold}") for fold in FOLDS}
            for trainer, folder in study.model_folders.items()}
    return ReportInput(
        title="Made-up study", table=pd.concat([table, atlas], ignore_index=True), baseline=TRAINERS[0],
        dataset_json=DATASET_JSON, costs={TRAINERS[0]: Cost(1_234_567, 12.345)}, logs=logs,
        model_folders=study.model_folders, images_folder=study.images, labels_folder=study.labels,
        settings={"Epochs": "3"}, notes=["Shortened: 3 epochs."])


@pytest.fixture(scope="module")
def html(inputs: ReportInput, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(inputs, tmp_path_factory.mktemp("report")).read_text(encoding="utf-8")


def headings(html: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", html)


def test_the_file_is_named_report_html_and_nothing_else_is_left(inputs: ReportInput, tmp_path: Path) -> None:
    path = write_report(inputs, tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "report.html"
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]
    assert path.stat().st_size <= 5_000_000


def test_the_page_needs_no_network_and_no_script(html: str) -> None:
    page = Page(html)
    assert page.addresses and all(address.startswith("data:image/") for address in page.addresses)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"url\(|@import|https?:", html)


def test_every_section_is_there(html: str) -> None:
    assert headings(html) == SECTIONS


def test_parts_that_are_missing_drop_their_section(inputs: ReportInput, tmp_path: Path) -> None:
    stock_only = {TRAINERS[0]: inputs.logs[TRAINERS[0]]}
    without_experts = dataclasses.replace(inputs, logs=stock_only, images_folder=None)
    assert headings(write_report(without_experts, tmp_path).read_text()) == [
        name for name in SECTIONS if name not in ("Slices", "Expert usage")]
    bare = ReportInput("Bare", inputs.table, inputs.baseline, DATASET_JSON)
    assert headings(write_report(bare, tmp_path).read_text()) == [
        name for name in SECTIONS if name not in ("Slices", "Expert usage", "Training")]


def test_the_numbers_are_those_of_the_table(html: str, inputs: ReportInput) -> None:
    text = Page(html).text
    for trainer in (*TRAINERS, ATLAS):
        values = inputs.table[(inputs.table["trainer"] == trainer) & (inputs.table["label"] == "Anterior")]["value"]
        assert f"{values.mean():.3f} [" in text
    assert "1,234,567" in text and "12.35" in text and "2.5" in text
    assert "Shortened: 3 epochs." in text and "nnunetv2" in text and "12 cases" in text
    assert f"{TRAINERS[0]}, Posterior: 1" in text


def test_everything_from_outside_is_escaped(inputs: ReportInput, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'"
    table = inputs.table.replace({"trainer": {TRAINERS[1]: evil}, "label": {"Anterior": evil}})
    poisoned = dataclasses.replace(inputs, title=evil, table=table, logs={evil: inputs.logs[TRAINERS[1]]}, notes=[evil],
                                   settings={evil: evil}, model_folders={evil: inputs.model_folders[TRAINERS[1]]})
    html = write_report(poisoned, tmp_path).read_text()
    assert "<script" not in html
    assert "script" not in Page(html).tags
    assert Page(html).text.count("alert(1)") >= 6


def test_the_page_follows_the_readers_colours_and_fits_a_phone(html: str) -> None:
    assert "prefers-color-scheme: dark" in html
    assert "width=device-width" in html
    assert "@media print" in html


def test_a_failed_report_leaves_an_older_one_alone(inputs: ReportInput, tmp_path: Path) -> None:
    path = write_report(inputs, tmp_path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="nnUNetTrainerNobody"):
        write_report(dataclasses.replace(inputs, baseline="nnUNetTrainerNobody"), tmp_path)
    assert path.read_bytes() == before


def test_the_terminal_shows_a_line_per_trainer_and_the_same_sentences(inputs: ReportInput, html: str) -> None:
    text = terminal_table(inputs)
    for trainer in (*TRAINERS, ATLAS):
        assert len(re.findall(rf"^ *{re.escape(trainer)} +\d\.\d{{3}}", text, re.MULTILINE)) == 1
    sentences = [line for line in text.splitlines() if " Dice " in line and line.endswith(".")]
    assert len(sentences) == 2 and all(sentence in Page(html).text for sentence in sentences)
    assert "Shortened: 3 epochs." in text and "1.23 M" in text


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium to lay out the page (Debian: apt-get install chromium)")
def test_nothing_is_wider_than_a_phone(inputs: ReportInput, tmp_path: Path) -> None:
    long = "nnUNetTrainerUTANet_250epochs_bf16_stage2_twin_and_more"
    table = inputs.table.replace({"trainer": {TRAINERS[1]: long}})
    write_report(dataclasses.replace(inputs, table=table, notes=[long], logs={long: inputs.logs[TRAINERS[1]]},
                                     model_folders={long: inputs.model_folders[TRAINERS[1]]}), tmp_path)
    measure = ("<iframe id=f src=report.html style='width:360px;height:800px;border:0'></iframe><script>onload=()=>{"
               "const page=f.contentDocument.documentElement;document.title=page.scrollWidth+' of '+page.clientWidth}"
               "</script>")
    (tmp_path / "phone.html").write_text(measure)
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
               "--hide-scrollbars", "--allow-file-access-from-files", f"--user-data-dir={tmp_path / 'profile'}",
               "--dump-dom", (tmp_path / "phone.html").as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "<title>360 of 360</title>" in dom
