"""The tables of what is identical and what differs say what the code does now."""

import re

import pytest

from benchmarks.differences import NETWORKS, PAGES, tables

FIGURE = re.compile(r"(?<=\| )(?:0|\de-\d+)(?= \(float64)")
LIMIT = 1e-9


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.slow
def test_a_page_has_the_tables_that_the_script_writes_now_up_to_rounding(name: str) -> None:
    written = re.search(
        r"<!-- differences:begin -->\n(.*)\n<!-- differences:end -->", (PAGES / f"{name.lower()}.md").read_text(), re.S
    )
    assert written, f"the page of {name} has no block for python -m benchmarks.differences --write"
    page, now = written[1], tables(name)
    cure = "python -m benchmarks.differences --write brings the page up to date"
    assert FIGURE.sub("figure", page) == FIGURE.sub("figure", now), cure
    for text in (page, now):
        figures = [float(figure) for figure in FIGURE.findall(text)]
        assert len(figures) == len(NETWORKS[name].parts)
        assert max(figures) < LIMIT
