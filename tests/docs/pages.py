"""What the pages tell a user to type."""

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELLS = ("console", "bash", "sh")
PYTHONS = ("python", "python3")
PROGRAMS = re.compile(r"(?:\.venv/bin/)?(?:skipx|nnUNetv2_\w+|python3?)$")
FENCED = re.compile(r"^```.*?^```", re.M | re.S)
SPAN = re.compile(r"`([^`]+)`")
VARIABLE = re.compile(r"\w+=\S*$")


class CommandLine(NamedTuple):
    """A line to type: where it stands, and its words without what a shell takes away."""

    place: str
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.words)


def command_lines() -> list[CommandLine]:
    """All lines of blocks of code that call `skipx`, a command of nnU-Net's or a Python module."""
    return [line for page in PAGES for line in lines_of(page.name, blocks(page))]


def mentions() -> list[CommandLine]:
    """What is called within a sentence, in backticks."""
    found = []
    for page in PAGES:
        prose = FENCED.sub(lambda block: "\n" * block[0].count("\n"), page.read_text())
        spans = [(prose[: span.start()].count("\n") + 1, " ".join(span[1].split())) for span in SPAN.finditer(prose)]
        found += lines_of(page.name, spans)
    return found


def blocks(page: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of the page's blocks of code; one that goes on is joined."""
    language, begun = None, ""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("```"):
            language = None if language is not None else line[3:]
        elif language in SHELLS or (language is None and line.startswith("    ")):
            text = begun + line.strip()
            begun = text[:-1] if text.endswith("\\") else ""
            if not begun:
                yield number, text


def lines_of(page: str, texts: Iterable[tuple[int, str]]) -> list[CommandLine]:
    """Those that call a program, in their words; what follows `>`, `|` or `&&` is the shell's."""
    lines = []
    for number, text in texts:
        try:
            words = shlex.split(text, comments=True)
        except ValueError:  # an apostrophe: prose
            continue
        while words and VARIABLE.match(words[0]):
            del words[0]
        if words and PROGRAMS.match(words[0]) and (not words[0].endswith(PYTHONS) or words[1:2] == ["-m"]):
            end = next((n for n, word in enumerate(words) if word in (">", "|", "&&")), len(words))
            lines.append(CommandLine(f"{page}:{number}", (Path(words[0]).name, *words[1:end])))
    return lines
