"""Generated blocks in Markdown pages, between `<!-- NAME:begin -->` and `<!-- NAME:end -->`."""
import re
from pathlib import Path


def replace_block(page: Path, name: str, content: str) -> None:
    """Put `content` between the markers of the block `name`; ValueError if the page has no such block."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    block = re.compile(f"{begin}.*?{end}", flags=re.DOTALL)
    text = page.read_text()
    if not block.search(text):
        raise ValueError(f"{page} has no block {name!r}: add the lines {begin} and {end}")
    page.write_text(block.sub(lambda _: f"{begin}\n{content}\n{end}", text, count=1))
