"""Generated blocks in Markdown pages, between `<!-- NAME:begin -->` and `<!-- NAME:end -->`."""
from pathlib import Path


def replace_block(page: Path, name: str, content: str) -> None:
    """Put `content` between the markers of the block `name`; ValueError if the page has no such block."""
    begin, end = f"<!-- {name}:begin -->\n", f"\n<!-- {name}:end -->"
    text = page.read_text()
    if begin not in text or end not in text:
        raise ValueError(f"{page} has no block {name!r}: add the lines {begin.strip()} and {end.strip()}")
    before, rest = text.split(begin, 1)
    page.write_text(before + begin + content + end + rest.split(end, 1)[1])
