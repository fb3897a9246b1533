"""Every script that makes numbers for the docs still finds what it imports."""

import importlib
from pathlib import Path

import pytest

SCRIPTS = sorted(path.stem for path in (Path(__file__).parents[2] / "benchmarks").glob("*.py") if path.stem[0] != "_")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_can_be_imported(script: str) -> None:
    assert importlib.import_module(f"benchmarks.{script}")
