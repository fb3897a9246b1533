"""The site builds without a warning, every page is in it, and what its tables list is what there is."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nnunet_skipx.cli.main import COMMANDS
from nnunet_skipx.profiling.measure import KEEP_NOTHING
from tests.docs.pages import ROOT

DOCS = ROOT / "docs"
VARIABLE = re.compile(r"nnUNet_[a-z]\w*|(?!SC_)[A-Z]+(_[A-Z]+)+")
INTERNAL = {  # set for processes that we start, or part of another tool's name
    *KEEP_NOTHING,
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MODEL_FOLDER",
    "SKIPX_TIED",
    "NNUNET_SKIPX_HOOKED",
}


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_without_a_network(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    commands = (tmp_path / "commands.html").read_text()
    assert len(re.findall("<h2", commands)) >= len(COMMANDS)
    assert "--replicates N" in commands
    assert "changes nothing beside" in (tmp_path / "grammar.html").read_text()
    notebook = (tmp_path / "first_look.html").read_text()
    assert "sx</span><span" in notebook and 'href="first_look.ipynb"' in notebook
    assert 'href="first_look.html"' in (tmp_path / "python.html").read_text()
    assert "nnunet_skipx.api.build.build" in (tmp_path / "api.html").read_text()
    loaded = [
        page.name for page in tmp_path.rglob("*.html") if re.search(r'(src|stylesheet" href)="http', page.read_text())
    ]
    assert not loaded, f"{loaded} load something from the network"


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    missing = [
        str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if str(page.relative_to(DOCS)) not in navigation
    ]
    assert not missing


def test_every_environment_variable_that_the_package_reads_is_explained() -> None:
    page = (DOCS / "variables.md").read_text()
    found = set()
    for file in (ROOT / "nnunet_skipx").rglob("*.py"):
        strings = {node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant)}
        found |= {text for text in strings if isinstance(text, str) and VARIABLE.fullmatch(text)}
    assert found > {"nnUNet_raw", "OMP_NUM_THREADS"}, "the search finds nothing"
    assert not {name for name in found - INTERNAL if f"`{name}`" not in page}


def test_words_that_the_report_uses_are_in_the_glossary() -> None:
    page = (DOCS / "glossary.md").read_text()
    for word in ("atlas", "domain", "adapter", "pseudo Dice", "BCa", "twin", "cell", "protocol", "ROPE", "replicate"):
        assert re.search(rf"^\| .*\b{word}\b.* \| ", page, re.M), word
