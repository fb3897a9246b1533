"""Figures that somebody measured have a writer: a block that a script fills, or a machine and a command beside them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.cost import RUNS
from tests.docs.pages import PAGES, ROOT

BLOCK = re.compile(r"<!-- ([^:>]+):begin -->\n(.*?)<!-- \1:end -->", re.S)
COMMAND = re.compile(r"python -m (benchmarks(?:\.\w+)+)")
HEAD = re.compile(r"^\|.*\b(?:ms|MB|GB|seconds|hours|s/step|s/epoch)\b.*\|\n\| ?-", re.M)
FIGURE = re.compile(r"\d\.\d+|\d ?(?:ms|MB|GB|%)\b")
MEASURED = re.compile(r"\d ?(?:ms|MB|GB|GFLOPs)\b")
MACHINE = re.compile(r"Machine: |AMD EPYC|H[12]00")
DOWNLOADS = "sizes on disk: `du` is named in install.md, and the wheel's is held to by tests/packaging"
OF_PLANS = "the memory that a plan is for, which a user asks for"
STATED = {  # page -> why figures of its prose need no machine
    "README.md": DOWNLOADS,
    "install.md": DOWNLOADS,
    "first_hour.md": DOWNLOADS,
    "plan.md": OF_PLANS,
}
BY_NAME = [(page, name) for page in PAGES for name, _ in BLOCK.findall(page.read_text())]


def modules(name: str) -> list[Path]:
    """The files of a module or package of benchmarks."""
    path = ROOT / Path(*name.split("."))
    return list(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def writes(file: Path, block: str) -> bool:
    """Whether a file has the block's name, whole or put together, as a string."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.JoinedStr):
            parts = [re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*" for part in node.values]
            if re.match("[a-z]{3}", parts[0]) and re.fullmatch("".join(parts), block):
                return True
        elif isinstance(node, ast.Constant) and node.value == block:
            return True
    return False


@pytest.mark.parametrize(("page", "block"), BY_NAME, ids=lambda value: value if isinstance(value, str) else value.name)
def test_a_block_is_written_by_a_command_that_its_page_names(page: Path, block: str) -> None:
    named = set(COMMAND.findall(page.read_text()))
    files = [file for name in named for file in modules(name)]
    assert any(writes(file, block) for file in files), f"{page.name}: none of {sorted(named)} writes {block}"
    assert any("replace_block" in file.read_text() for file in files)


def test_a_table_of_costs_names_the_runs_that_it_was_made_with() -> None:
    pages = [page.read_text() for page in PAGES if (page, "cost") in BY_NAME]
    for text in pages:
        command = re.search(r"benchmarks\.cost \w+(?: --runs (\d+))?", text)
        told = re.search(r"edian of (\d+) paired runs", text)
        assert command, text
        assert not told or int(command[1] or RUNS) == int(told[1]), f"{command[0]} is not {told[0]}"
    assert sum("paired runs" in text for text in pages) > 5


def sections(page: Path) -> Iterator[str]:
    """What stands between headings, without what scripts write."""
    yield from re.split(r"^#+ .*$", BLOCK.sub("", page.read_text()), flags=re.M)


def figures(section: str) -> list[str]:
    """Heads of tables that name a unit, and lines of tables, of Markdown or of blanks, with three figures and more."""
    rows = [line for line in section.splitlines() if line.startswith(("|", "    "))]
    return [
        *(head[0] for head in HEAD.finditer(section)),
        *(row for row in rows if len(FIGURE.findall(row)) > 2 and "skipx" not in row),
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_table_of_figures_is_a_block_or_names_its_machine_and_command(page: Path) -> None:
    for section in sections(page):
        if rows := figures(section):
            assert COMMAND.search(section) and MACHINE.search(section), f"{page.name}: nobody measured\n{rows[0]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_figure_in_a_sentence_names_its_machine_or_command(page: Path) -> None:
    for section in sections(page):
        for paragraph in section.split("\n\n"):
            if MEASURED.search(paragraph) and not paragraph.startswith(("|", "    ", "```")):
                told = MACHINE.search(paragraph) or COMMAND.search(paragraph) or page.name in STATED
                assert told, f"{page.name}: who measured this?\n{paragraph}"


def test_exceptions_are_needed() -> None:
    for page in PAGES:
        assert page.name not in STATED or MEASURED.search(BLOCK.sub("", page.read_text())), page.name


def test_figures_without_a_writer_are_found() -> None:
    assert figures("| data | seconds |\n|---|---|\n| 3 | 4 |\n") and not figures(
        "| data | why |\n|---|---|\n| 3 | 4 |\n"
    )
    assert figures("\n| UTANet | 12.5 ms | 3.1 GB | 4.4 |\n") and not figures("\n| `--rope` | 0.003 | a difference |\n")
    assert BLOCK.sub("", "a\n<!-- x y:begin -->\n| 1.0 | 2.0 | 3.0 |\n<!-- x y:end -->\n") == "a\n\n"
    assert len(BY_NAME) > 30
