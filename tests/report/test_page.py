"""report: one file that opens anywhere and shows what it was given."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.figures.panel import Panel
from nnunet_skipx.report.page import report_parts, terminal_text, write_report
from nnunet_skipx.report.sections import ranking as ranking_module
from nnunet_skipx.report.sections.order import MOST_ROWS_DRAWN, sections
from nnunet_skipx.results.atlas import ATLAS
from tests.made_up_study import DATASET, DATASET_JSON, TRAINERS
from tests.report.browser import browse, measure, needs_chromium
from tests.report.pages import Page, text_of, write

SECTIONS = [
    "Result",
    "Comparisons",
    "How sure the claims are",
    "Tails",
    "Worst cases",
    "Ranking",
    "Cost",
    "Folds and replicates",
    "Training health",
    "Dice per case",
    "Case by case",
    "Slices",
    "Training",
    "Expert usage",
    "Methods, for a paper",
    "Provenance",
    "Settings and commands",
]
OPTIONAL = ("Cost", "Training health", "Slices", "Training", "Expert usage", "Provenance", "Settings and commands")


def headings(html: str) -> list[str]:
    return re.findall(r"<h2 id=.*?>(.*?)</h2>", html)


def many_rows(comparison: Comparison, count: int) -> Comparison:
    """The first model under many names, a little worse each time."""
    first = comparison.table[comparison.table["row"] == TRAINERS[0]]
    scatter = 1 + np.arange(len(first)) % 3 / 10
    rows = [
        first.assign(row=f"row_{number}", value=first["value"] - number / 1000 * scatter) for number in range(count)
    ]
    table = pd.concat(rows, ignore_index=True)
    return dataclasses.replace(comparison, table=table, baseline=f"row_{count - 1}", model_folders={})


def test_the_file_is_named_report_html_and_nothing_else_is_left(comparison: Comparison, tmp_path: Path) -> None:
    write(comparison, tmp_path / "new" / "folder")
    (path,) = (tmp_path / "new" / "folder").iterdir()
    assert path.name == "report.html"
    assert path.stat().st_size <= 5_000_000


def test_the_page_needs_no_network_and_no_script(html: str) -> None:
    page = Page(html)
    assert page.addresses and all(address.startswith(("data:image/", "#")) for address in page.addresses)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"url\(|@import|https?:", html)


def test_every_section_is_there(html: str) -> None:
    assert headings(html) == SECTIONS


def test_parts_that_are_missing_drop_their_section(comparison: Comparison, tmp_path: Path) -> None:
    stock_only = {TRAINERS[0]: comparison.logs[TRAINERS[0]]}
    without_experts = dataclasses.replace(comparison, logs=stock_only, images_folder=None)
    assert headings(write(without_experts, tmp_path)) == [
        name for name in SECTIONS if name not in ("Slices", "Expert usage")
    ]
    bare = Comparison(DATASET, comparison.table, comparison.baseline, DATASET_JSON)
    assert headings(write(bare, tmp_path)) == [name for name in SECTIONS if name not in OPTIONAL]


def test_what_is_incomplete_says_so_everywhere(comparison: Comparison, tmp_path: Path) -> None:
    cut = dataclasses.replace(comparison, incomplete="Fold 1 is missing.")
    html = write(cut, tmp_path)
    assert headings(html) == [f"{name} (incomplete)" for name in SECTIONS]
    assert "Fold 1 is missing." in html and "Fold 1 is missing." in terminal_text([cut])


def test_the_numbers_are_those_of_the_table(html: str, comparison: Comparison) -> None:
    text = Page(html).text
    for trainer in (*TRAINERS, ATLAS):
        table = comparison.table
        values = table[(table["row"] == trainer) & (table["label"] == "Anterior")]["value"]
        shown = f"{values.mean():.3f} "
        assert shown + ("[" if values.nunique() > 1 else "(n = 12)") in text
    assert "1,234,567" in text and "12.35" in text
    assert "Shortened: 3 epochs." in text and "nnunetv2" in text and "12 cases" in text
    assert f"{TRAINERS[0]}, Posterior: 1" in text


def test_everything_from_outside_is_escaped(comparison: Comparison, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'"
    table = comparison.table.replace({"row": {TRAINERS[1]: evil}, "label": {"Anterior": evil}})
    poisoned = dataclasses.replace(
        comparison,
        dataset=evil,
        table=table,
        logs={evil: comparison.logs[TRAINERS[1]]},
        notes=[evil],
        incomplete=evil,
        settings={evil: evil},
        provenance={evil: {evil: evil, "command": evil}},
        convention=evil,
        model_folders={evil: comparison.model_folders[TRAINERS[1]]},
    )
    html = write_report(evil, report_parts([poisoned]), tmp_path).read_text()
    assert "<script" not in html
    assert "script" not in Page(html).tags
    assert Page(html).text.count("alert(1)") >= 10


def test_the_page_follows_the_readers_colours_and_fits_a_phone(html: str) -> None:
    assert "prefers-color-scheme: dark" in html
    assert "width=device-width" in html
    assert "@media print" in html


def test_a_failed_report_leaves_an_older_one_alone(comparison: Comparison, tmp_path: Path) -> None:
    write(comparison, tmp_path)
    before = (tmp_path / "report.html").read_bytes()
    with pytest.raises(ValueError, match="nnUNetTrainerNobody"):
        write(dataclasses.replace(comparison, baseline="nnUNetTrainerNobody"), tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before


def test_the_terminal_shows_a_line_per_row_and_the_same_sentences(comparison: Comparison, html: str) -> None:
    text = terminal_text([comparison])
    for trainer in (*TRAINERS, ATLAS):
        assert len(re.findall(rf"^ *{re.escape(trainer)} +\d\.\d{{3}}", text, re.MULTILINE)) == 1
    sentences = [line for line in text.splitlines() if " Dice " in line and line.endswith(".")]
    assert len(sentences) == 2
    assert all(comparison.shortened(sentence) in Page(html).text for sentence in sentences)
    assert "Shortened: 3 epochs." in text


@pytest.mark.slow
def test_several_data_sets_share_a_page_that_begins_with_their_consensus(
    comparison: Comparison, tmp_path: Path
) -> None:
    other = dataclasses.replace(
        comparison, dataset="Dataset005_Other", table=comparison.table[comparison.table["row"] != ATLAS]
    )
    html = write_report("Two", report_parts([comparison, other]), tmp_path).read_text()
    assert re.findall(r'<h2 class="part" id="part-\d">(.*?)</h2>', html) == [
        "Across data sets",
        DATASET,
        "Dataset005_Other",
    ]
    assert re.findall(r"<h3 id=.*?>(.*?)</h3>", html)[:5] == [
        "Verdicts",
        "Consensus",
        "Over data sets",
        "Methods over data sets, for a paper",
        "Result",
    ]
    assert f"{ATLAS} is not ranked: it has no results on Dataset005_Other." in html
    table = next(Page(html).root.iter("tbody"))
    assert [[text_of(cell) for cell in line] for line in table] == [
        [TRAINERS[0], "baseline", "baseline"],
        ["UTANet", "undecided", "undecided"],
        [ATLAS, "undecided", "–"],
    ]
    parts = [address for address in Page(html).addresses if re.fullmatch(r"#part-\d", address)]
    assert parts == ["#part-1", "#part-2", "#part-3"]


@pytest.mark.slow
def test_of_many_rows_all_are_in_the_tables_and_the_best_are_drawn(comparison: Comparison) -> None:
    made = {section.heading: section for section in sections(many_rows(comparison, 14))}
    assert all(len(made[name].table) == 14 for name in ("Result", "Ranking"))  # type: ignore[arg-type]
    drawn = [panel.title for panel in made["Case by case"].panels]
    assert len(drawn) == 2 * (MOST_ROWS_DRAWN - 1)
    assert {title.split(" ")[0] for title in drawn} == {f"row_{number}" for number in range(MOST_ROWS_DRAWN - 1)}
    assert "Drawn are the baseline and the 9 rows of the best places." in made["Dice per case"].lead


def test_the_matrix_has_a_plus_in_the_line_of_the_better_row(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[pd.DataFrame] = []
    monkeypatch.setattr(ranking_module, "significance_panel", lambda signs: seen.append(signs) or Panel("", "", ""))
    sections(many_rows(comparison, 3))
    assert seen[0].loc["row_0", "row_2"] == 1 and seen[0].loc["row_2", "row_0"] == -1


@needs_chromium
def test_nothing_is_wider_than_a_phone(comparison: Comparison, tmp_path: Path) -> None:
    long = "nnUNetTrainerUTANet_250epochs_bf16_stage2_twin_and_more"
    table = comparison.table.replace({"row": {TRAINERS[1]: long}})
    write(
        dataclasses.replace(
            comparison,
            table=table,
            notes=[long],
            logs={long: comparison.logs[TRAINERS[1]]},
            model_folders={long: comparison.model_folders[TRAINERS[1]]},
        ),
        tmp_path,
    )
    told = "const all = page.documentElement; return all.scrollWidth + ' of ' + all.clientWidth"
    assert measure(tmp_path / "report.html", 360, told) == "360 of 360"


@needs_chromium
@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_chromium_shows_every_picture_without_a_complaint_in_both_themes(
    comparison: Comparison, tmp_path: Path, theme: str
) -> None:
    write(comparison, tmp_path)
    check = (
        "<iframe id=f src=report.html></iframe><script>onload=()=>{const page=f.contentDocument;"
        "const broken=[...page.images].filter(image=>!image.naturalWidth).length;const style="
        "f.contentWindow.getComputedStyle(page.body);const light=c=>c.match(/\\d+/g).reduce((a,b)=>a+ +b,0);"
        "const contrast=light(style.color)-light(style.backgroundColor);"
        "document.title=[page.images.length,broken,contrast>0?'dark':'light'].join(' ')}</script>"
    )
    (tmp_path / "check.html").write_text(check)
    scheme = f"--blink-settings=preferredColorScheme={0 if theme == 'dark' else 1}"
    dom = browse(tmp_path / "check.html", "--enable-logging=stderr", scheme)
    pictures = sum(len(section.panels) for section in sections(comparison))
    assert f"<title>{pictures} 0 {theme}</title>" in dom
    assert "CONSOLE" not in dom
