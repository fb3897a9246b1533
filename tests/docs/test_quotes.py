"""What the troubleshooting page quotes is printed so, by our code or by nnU-Net's."""

import ast
import functools
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nnunet_skipx.cli.main import build_parser
from tests.docs.pages import ROOT, SPAN
from tests.docs.test_command_lines import subcommands

PAGE = ROOT / "docs" / "troubleshoot.md"
FIELD = "\0"  # what a message is filled in with
BY_HAND = re.compile(r"[A-Z]+$")  # FILE, N: what the page leaves open
OTHERS = {"out of memory": "torch"}  # whose words differ by device


def quotes() -> list[str]:
    """What stands in backticks in the first column, but for names of commands."""
    cells = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return [quote for cell in cells for quote in SPAN.findall(cell) if quote not in subcommands(build_parser())]


def strings(path: Path) -> Iterator[str]:
    """The texts of a file, with `FIELD` where something is filled in."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else FIELD for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@functools.cache
def messages() -> list[list[str]]:
    """The words of all texts of ours, and of those that nnU-Net's search and training print."""
    nnunet = importlib.util.find_spec("nnunetv2")
    assert nnunet and nnunet.submodule_search_locations
    theirs = Path(nnunet.submodule_search_locations[0])
    files = [*(ROOT / "nnunet_skipx").rglob("*.py"), theirs / "run" / "run_training.py"]
    files += (theirs / "utilities").glob("*.py")
    return [text.split() for text in {text for path in files for text in strings(path)}]


def says(quote: list[str], message: list[str]) -> bool:
    """Whether a message has the words of a quote one after the other; what is filled in may be another."""
    starts = range(len(message) - len(quote) + 1)
    return any(all(map(same, quote, message[start : start + len(quote)])) for start in starts)


@functools.cache
def same(word: str, of_message: str) -> bool:
    """Whether a quoted word is that of a message: a field stands for a name or a number, and FILE for a field."""
    if BY_HAND.match(word.strip("'")):
        return FIELD in of_message
    if of_message.strip(".,:;") == FIELD and word.isalpha() and word.islower():
        return False
    parts = of_message.strip(".,:;").split(FIELD)
    return re.fullmatch(".*".join(map(re.escape, parts)), word.strip(".,:;")) is not None


@pytest.mark.parametrize("quote", quotes())
def test_a_quoted_message_is_one_that_is_printed(quote: str) -> None:
    known = quote in OTHERS or any(says(quote.split(), message) for message in messages())
    assert known, f"nothing prints {quote!r}"


def test_words_that_nothing_prints_are_found() -> None:
    message = f"nnU-Net's search for {FIELD} ends at {FIELD} ({FIELD}), which".split()
    assert says(["search", "for", "'Mine'", "ends", "at", "FILE"], message)
    assert not says(["search", "ends", "at", "FILE"], message) and not says(
        ["search", "for", "FILE", "begins"], message
    )
    assert len(quotes()) >= 8
