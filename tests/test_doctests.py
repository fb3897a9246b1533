"""The examples in docstrings are true, and every function of statistics and names has one."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [path for path in sorted((ROOT / "nnunet_skipx").rglob("*.py")) if ">>> " in path.read_text()]
EXPLAINED = [*sorted((ROOT / "nnunet_skipx/statistics").glob("*.py")), ROOT / "nnunet_skipx/nnunet/names.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_examples(path: Path) -> None:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize("path", EXPLAINED, ids=lambda path: path.stem)
def test_every_public_function_has_an_example(path: Path) -> None:
    for function in ast.parse(path.read_text()).body:
        if isinstance(function, ast.FunctionDef) and not function.name.startswith("_"):
            assert ">>> " in (ast.get_docstring(function) or ""), f"{path}: {function.name}"
