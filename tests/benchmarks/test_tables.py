"""Generated blocks in the documentation."""

from pathlib import Path

import pytest

from benchmarks.tables import replace_block


def test_a_block_is_replaced_again_and_again_and_nothing_around_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- cost:begin -->\n<!-- cost:end -->\nafter\n")
    for content in (r"first \1", "second"):
        replace_block(page, "cost", content)
        assert page.read_text() == f"before\n<!-- cost:begin -->\n{content}\n<!-- cost:end -->\nafter\n"


def test_a_page_without_the_block_is_named(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match=r"page\.md"):
        replace_block(page, "cost", "x")
