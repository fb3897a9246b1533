"""The first screen: a word, a sentence, a plot and a cost for every row, and nothing of it cut off."""

import dataclasses
import re
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.report import verdicts
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.figures.forest import Scale, scale_of
from nnunet_skipx.report.tables import format_signed
from nnunet_skipx.report.verdicts import first_screen
from nnunet_skipx.results.row_cost import RowCost
from nnunet_skipx.statistics.means import Interval
from nnunet_skipx.statistics.text import format_interval
from tests.made_up_study import TRAINERS
from tests.report.browser import measure, needs_chromium
from tests.report.pages import Page, text_of, with_class, write

NEW = TRAINERS[1]
TWIN = f"{NEW}_twin"
LABELS = [f"organ number {number}" for number in range(13)]


@pytest.fixture(scope="module")
def decided(comparison: Comparison) -> Comparison:
    """Five rows of 30 cases, 13 classes and two replicates: baseline, better, its twin, worse, equivalent."""
    rng = np.random.default_rng(0)
    shifts = {TRAINERS[0]: 0.0, NEW: 0.03, TWIN: 0.0, "nnUNetTrainerWorse": -0.02, "nnUNetTrainerSame": 0.0}
    hard = rng.normal(0, 0.05, 30)
    values = [
        (row, replicate, case % 5, f"case_{case}", label, 0.8 + hard[case] + shift + rng.normal(0, 0.002))
        for row, shift in shifts.items()
        for replicate in (1, 2)
        for case in range(30)
        for label in LABELS
    ]
    table = pd.DataFrame(values, columns=["row", "replicate", "fold", "case", "label", "value"])
    table = table.assign(dataset="D", trainer=table["row"], plans="P", configuration="3d_fullres", metric="Dice")
    costs = {row: RowCost(parameters=1000 * (1 + number), gflops=2.0) for number, row in enumerate(shifts)}
    return dataclasses.replace(
        comparison, table=table, costs=costs, logs={}, model_folders={}, test_run="A test run, not a result: X."
    )


@pytest.fixture(scope="module")
def file(decided: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("decided")
    write(decided, folder)
    return folder / "report.html"


@pytest.fixture(scope="module")
def page(file: Path) -> Page:
    return Page(file.read_text())


@pytest.fixture(scope="module")
def bodies(page: Page) -> dict[str, Element]:
    """The lines of the first screen by name."""
    (screen,) = with_class(page.root, "verdicts")
    return {text_of(body[0][0]): body for body in screen.iter("tbody") if "between" not in body.get("class", "")}


def test_every_row_has_its_verdict_in_one_word_and_the_sentence_beneath(
    bodies: dict[str, Element], decided: Comparison
) -> None:
    words = {name: text_of(with_class(body, "word")[0]) for name, body in bodies.items()}
    assert words == {
        "nnUNetTrainer": "baseline",
        "UTANet": "better",
        "UTANet_twin": "equivalent",
        "Worse": "worse",
        "Same": "equivalent",
        "UTANet against UTANet_twin": "better",
    }
    sentences = [text_of(found) for body in bodies.values() for found in with_class(body, "sentence")]
    assert sentences == [decided.shortened(text) for text in decided.sentences]


def test_less_than_matters_stands_beside_the_word(decided: Comparison) -> None:
    wide = first_screen(dataclasses.replace(decided, rope=0.5))
    assert {(line.name, line.word, line.note) for line in wide.lines} >= {
        ("UTANet", "better", "but by less than matters"),
        ("Worse", "worse", "but by less than matters"),
    }


def places(body: Element, plot: int) -> list[float]:
    """Low end, mean and high end in per cent of a plot."""
    (svg,) = with_class(body, "plot")[plot].iter("svg")
    (line,) = with_class(svg, "ci")
    (dot,) = svg.iter("circle")
    return [float(text.rstrip("%")) for text in (line.get("x1", ""), dot.get("cx", ""), line.get("x2", ""))]


def axis(page: Page, plot: int) -> tuple[float, float]:
    """Slope and offset that turn a place into a value, read off the axis."""
    (screen,) = with_class(page.root, "verdicts")
    (foot,) = screen.iter("tfoot")
    ticks = [
        (float(text.get("x", "").rstrip("%")), float(text_of(text)))
        for text in with_class(foot, "plot")[plot].iter("text")
    ]
    assert len(ticks) >= 2
    slope, offset = np.polyfit(*np.transpose(ticks), 1)
    return float(slope), float(offset)


def test_the_plot_has_the_numbers_of_the_table(page: Page, bodies: dict[str, Element], decided: Comparison) -> None:
    names = [decided.short(row.name) for row in decided.rows]
    intervals = {name: row.mean for name, row in zip(names, decided.rows, strict=True)}
    differences = {decided.short(c.row): c.difference.interval for c in decided.contrasts if c.kind == "baseline"}
    differences["UTANet against UTANet_twin"] = decided.contrasts[-1].difference.interval
    for plot, wanted in ((0, intervals), (1, differences)):
        slope, offset = axis(page, plot)
        for name, interval in wanted.items():
            shown = slope * np.array(places(bodies[name], plot)) + offset
            np.testing.assert_allclose(shown, [interval.low, interval.value, interval.high], atol=2e-5)
            assert (format_interval, format_signed)[plot](interval) in text_of(bodies[name])


def test_zero_and_the_region_of_equivalence_are_drawn_in_every_line(
    page: Page, bodies: dict[str, Element], decided: Comparison
) -> None:
    slope, offset = axis(page, 1)
    for body in bodies.values():
        (zero,), (band,) = with_class(body, "zero"), with_class(body, "band")
        left, width = (float(band.get(name, "").rstrip("%")) for name in ("x", "width"))
        found = [slope * place + offset for place in (float(zero.get("x1", "").rstrip("%")), left, left + width)]
        np.testing.assert_allclose(found, [0, -decided.rope, decided.rope], atol=2e-5)
    assert "within ± 0.003 Dice" in page.text


ENDS = st.tuples(st.floats(-1, 1), st.floats(0, 1), st.booleans())


@given(st.lists(ENDS, max_size=6), st.lists(st.floats(-1, 1), max_size=2))
def test_no_mark_or_tick_is_cut_off(ends: list[tuple[float, float, bool]], more: list[float]) -> None:
    nan = float("nan")
    intervals = [
        Interval(value, value - half if known else nan, value + half if known else nan, half, 9, 0)
        for value, half, known in ends
    ]
    scale = scale_of([*intervals, Interval(nan, nan, nan, nan, 0, 3)], more)
    marks = [mark for interval in intervals if (mark := scale.mark(interval))]
    assert len(marks) == len(intervals) and all((mark.low is None) != known for mark, (*_, known) in zip(marks, ends))  # noqa: B905
    drawn = [place for mark in marks for place in (mark.low, mark.value, mark.high) if place is not None]
    ticks = scale.ticks()
    assert all(0 < place < 100 for place in (*drawn, *(place for place, _ in ticks)))
    assert 2 <= len(ticks) == len({text for _, text in ticks}) <= 6


def test_a_row_far_from_the_others_is_an_arrow_at_the_edge_and_flattens_none() -> None:
    rows = [Interval(value, value - 0.01, value + 0.01, 0.005, 9, 0) for value in (0.83, 0.84, 0.84, 0.85, 0.78, 0.12)]
    scale = scale_of(rows)
    assert (scale.low, scale.high) == pytest.approx((0.77, 0.86))
    *near, far = map(scale.mark, rows)
    assert far and far.beyond == "◂" and far.value == far.low == far.high < 4
    assert not any(mark.beyond for mark in near if mark)
    wide = scale.mark(Interval(0.8, 0.2, 0.9, 0.1, 9, 0))
    assert wide and not wide.beyond and wide.low == 1 and wide.high == 99, "its line runs out of the plot"
    assert scale_of(rows[-2:]).low == pytest.approx(0.11), "of two rows none is far from the others"


def test_an_arrow_is_explained(
    decided: Comparison, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "scale_of", lambda intervals, more=(): Scale(-1.0, 0.5))
    far = Page(write(decided, tmp_path))
    assert len(with_class(far.root, "beyond")) == 5, "the means of five rows"
    assert "◂ ▸ : beyond the plot, as the number says." in far.text
    assert not with_class(page.root, "beyond") and "beyond the plot" not in page.text


def test_costs_are_multiples_of_the_baselines(bodies: dict[str, Element], decided: Comparison) -> None:
    assert [text_of(cell) for cell in with_class(bodies["nnUNetTrainer"], "cost")] == ["2", "0.001 M"]
    assert [text_of(cell) for cell in with_class(bodies["Worse"], "cost")] == ["× 1.00", "× 4.00"]
    unknown = dataclasses.replace(decided, costs={NEW: RowCost(gflops=1.0)})
    assert {line.costs["GFLOPs"] for line in first_screen(unknown).lines} == {"–"}
    assert first_screen(dataclasses.replace(decided, costs={})).cost_headings == []


def test_the_caution_stands_before_the_verdicts_and_the_contents_lead_to_every_section(page: Page) -> None:
    order = [element.get("class", element.tag) for element in page.root.iter()]
    assert order.index("contents") < order.index("caution") < order.index("verdicts")
    (caution,) = with_class(page.root, "caution")
    assert "A test run, not a result" in text_of(caution)
    (contents,) = with_class(page.root, "contents")
    targets = {element.get("id"): text_of(element) for element in page.root.iter("h2")}
    assert {link.get("href", "")[1:]: text_of(link) for link in contents} == targets and len(targets) >= 6


def test_methods_are_folded_away_beneath_each_table(page: Page) -> None:
    for section in page.root.iter("section"):
        tags = [element.tag for element in section]
        assert tags.count("details") <= 1
        assert not any("open" in element.attrib for element in section.iter("details"))
        if with_class(section, "wide") and "details" in tags:
            assert section[tags.index("details") - 1].get("class") == "wide"


def test_names_are_short_everywhere_but_where_they_must_be_whole(page: Page) -> None:
    whole = {"Provenance", "Settings and commands"}
    texts = {
        text_of(next(section.iter("h2"))).strip(): " ".join(section.itertext()) for section in page.root.iter("section")
    }
    assert whole <= texts.keys()
    assert not [name for name, text in texts.items() if re.search(r"nnUNetTrainer[A-Z]", text) and name not in whole]
    assert "Names are without nnUNetTrainer at their beginning." in page.text


@needs_chromium
def test_on_a_screen_no_cell_has_three_lines_and_on_a_phone_tables_stay_tables(file: Path) -> None:
    lines = (
        "const tall = cell => { const style = frame.contentWindow.getComputedStyle(cell);"
        "return (cell.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom))"
        " / parseFloat(style.lineHeight) };"
        "const shown = [...page.querySelectorAll('.wide td, .wide thead th')].filter(cell => cell.checkVisibility());"
        "return shown.length + ' ' + Math.round(Math.max(...shown.map(tall))) + ' '"
        "+ new Set(shown.map(cell => frame.contentWindow.getComputedStyle(cell).display)).size + ' '"
        "+ frame.contentWindow.getComputedStyle(shown[0]).display + ' '"
        "+ [...page.querySelectorAll('.verdicts .plot:not(.idle) svg')].every(svg => svg.clientWidth > 150)"
    )
    for width in (1400, 390):
        cells, most, kinds, kind, plotted = measure(file, width, lines).split()
        assert int(cells) > 100 and int(most) <= 2 and (kinds, kind) == ("1", "table-cell") and plotted == "true"


@needs_chromium
def test_on_paper_every_column_and_all_that_is_folded_away_is_there(file: Path) -> None:
    a4_landscape = 1032  # pixels between the margins
    print_out = (
        "for (const sheet of page.styleSheets) for (const rule of sheet.cssRules) if (rule.media) "
        "rule.media.mediaText = rule.media.mediaText == 'print' ? 'all' : 'not all';"
        "const folded = [...page.querySelectorAll('details p')];"
        "return page.documentElement.scrollWidth + ' ' + folded.length + ' '"
        "+ folded.filter(text => text.checkVisibility() && text.clientHeight > 10).length + ' '"
        "+ [...page.querySelectorAll('table')].every(table => table.scrollWidth <= table.parentElement.clientWidth)"
    )
    width, folded, seen, fits = measure(file, a4_landscape, print_out).split()
    assert int(width) <= a4_landscape and folded == seen and int(folded) >= 6 and fits == "true"
