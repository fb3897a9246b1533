"""Names that want to be more than names, in every format that a report is written in."""

import csv as csv_module
import html
import io
import re

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from nnunet_skipx.report.exports import comma_separated, latex, markdown
from nnunet_skipx.report.figures.panel import data_uri, new_figure
from nnunet_skipx.system import escaping
from nnunet_skipx.system.names import is_control
from nnunet_skipx.system.text_table import text_table

HOSTILE = [
    r"P \input{/etc/passwd}",
    r"\\input{x}",
    "[1cm] x",
    "*",
    "}{",
    "a & b % c # d _ e ^ f ~ g $h$",
    "$\\sqrt{$",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</td></table>",
    "&lt;script&gt;",
    "![x](http://example.org/x.png)",
    "[x](javascript:alert(1))",
    "[x]: http://example.org",
    "[x][y]",
    "<http://example.org>",
    "a | b",
    "a \\| b",
    "`code`",
    "**bold** __bold__ *it* _it_ ~~gone~~",
    "# heading",
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    " =1+1",
    "\t=1+1",
    '=HYPERLINK("http://example.org","x")',
    "a,b",
    'a"b',
    "a\nb",
    "a\rb",
    "a\x1b[2J\x1b[31mb",
    "a\x9b2Jb",
    "a\u202eb",
    "a\x00b",
    "a\u2028b",
    "",
]
HARMLESS = [
    "nnUNetTrainerUTANet_demo",
    "0.843 [0.830, 0.855]",
    "+0.012 [+0.004, +0.020], p < 0.001",
    "–",
    "left atrium",
]
NAMES = pytest.mark.parametrize("name", HOSTILE, ids=ascii)
ACTIVE = re.compile(r"\\(textbackslash|textasciitilde|textasciicircum)\{\}|\\[{}$&#_%]|\{\}(?=[\[*])")


def rendered(text: str) -> str:
    """What a Markdown renderer with tables and strikethrough shows."""
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)


def words(page: str) -> str:
    """The text of a page, with the blanks that a browser shows."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


@NAMES
def test_in_latex_nothing_is_active(name: str) -> None:
    assert not re.search(r"[\\{}$&#_%~^]", ACTIVE.sub("", escaping.latex(name)))
    text = latex(name, pd.DataFrame([{name or "x": name, "b": "c"}]))
    lines = [
        line for line in text.splitlines() if not re.match(r"\\(begin|end|caption|toprule|midrule|bottomrule)", line)
    ]
    assert len(lines) == 2
    for line in lines:
        inside = line.removesuffix(r" \\")
        assert re.sub(r" & ", "", ACTIVE.sub("", inside), count=1).isprintable()
        assert not re.search(r"[\\{}$&#_%~^]", re.sub(r" & ", "", ACTIVE.sub("", inside), count=1))
        assert not inside.startswith(("[", "*"))


@NAMES
def test_in_markdown_it_is_shown_as_it_is(name: str) -> None:
    page = rendered(f"- {escaping.markdown(f'x {name}')}\n- {escaping.markdown('[x]: http://example.org')}")
    assert set(re.findall(r"</?(\w+)", page)) == {"ul", "li"}
    assert words(page) == " ".join(f"x {escaping.terminal(name)} [x]: http://example.org".split())


@NAMES
def test_in_a_table_of_markdown_it_stays_in_its_cell(name: str) -> None:
    page = rendered(markdown(pd.DataFrame([{"a": name, "b": "c"}])))
    assert set(re.findall(r"</?(\w+)", page)) == {"table", "thead", "tbody", "tr", "th", "td"}
    assert words(page) == " ".join(f"a b {escaping.terminal(name)} c".split())


@NAMES
def test_in_csv_it_is_no_formula_and_one_cell(name: str) -> None:
    text = comma_separated(pd.DataFrame([{"a": name, "value": -1.5}]))
    ((_, _), (cell, value)) = csv_module.reader(io.StringIO(text))
    assert not re.match(r"\s*[=+\-@].", cell)
    assert cell.removeprefix("'") == escaping.terminal(name) and value == "-1.5"


@NAMES
def test_in_a_terminal_every_character_is_shown(name: str) -> None:
    assert escaping.terminal(name).isprintable()
    table = text_table([{"a": name, "b": "c"}])
    assert len(table.split("\n")) == 2 and table.replace("\n", "").isprintable()


@NAMES
def test_in_a_picture_it_is_no_formula(name: str) -> None:
    figure, (axis,) = new_figure(2)
    axis.set_title(name.replace("\x00", ""))
    assert data_uri(figure).startswith("data:image/svg+xml")


@pytest.mark.parametrize("text", HARMLESS)
def test_numbers_and_names_stay_readable(text: str) -> None:
    assert escaping.terminal(text) == escaping.markdown(text) == text
    assert escaping.latex(text).replace("\\", "") == text
    if not text.startswith("+"):
        assert escaping.csv(text) == text


@given(st.text())
@example("\\")
def test_no_text_is_active_in_any_format(text: str) -> None:
    assert not any(map(is_control, escaping.terminal(text)))
    assert not re.search(r"[\\{}$&#_%~^]", ACTIVE.sub("", escaping.latex(text)))
    assert not re.match(r"\s*[=+\-@].", escaping.csv(text))
    assert set(re.findall(r"</?(\w+)", rendered(f"x {escaping.markdown(text)}"))) == {"p"}


def test_lines_stay_lines_in_a_terminal() -> None:
    assert escaping.terminal_lines("a\n\x1bb\n") == "a\n\\x1bb\n"
