"""Generated blocks in Markdown pages, between `<!-- NAME:begin -->` and `<!-- NAME:end -->`."""

import re
from pathlib import Path


def replace_block(page: Path, name: str, content: str) -> None:
    """Put `content` between the markers of the block `name`; ValueError if the page has no such block."""
    block = _block(page, name)
    page.write_text(page.read_text().replace(block, f"{_marker(name, 'begin')}\n{content}\n{_marker(name, 'end')}", 1))


def block_of(page: Path, name: str) -> str:
    """What stands between the markers of the block `name`; ValueError if the page has no such block."""
    return _block(page, name).removeprefix(_marker(name, "begin")).removesuffix(_marker(name, "end")).strip("\n")


def _block(page: Path, name: str) -> str:
    """The block with its markers."""
    begin, end = _marker(name, "begin"), _marker(name, "end")
    found = re.search(f"{begin}.*?{end}", page.read_text(), flags=re.DOTALL)
    if not found:
        raise ValueError(f"{page} has no block {name!r}: add the lines {begin} and {end}")
    return found[0]


def _marker(name: str, which: str) -> str:
    return f"<!-- {name}:{which} -->"
