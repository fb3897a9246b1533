"""The plan of the house: imports run one way, from what is told last in CONTRIBUTING.md to what is told first."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOLD = {"__version__"}
MAY_IMPORT: dict[str, set[str]] = {  # besides itself
    "system": set(),
    "statistics": set(),
    "kernels": set(),
    "augmentation": set(),
    "nnunet": {"system"},
    "skips": {"kernels"},
    "architectures": {"kernels", "skips"},
    "training": {"architectures", "augmentation", "counting", "nnunet", "skips", "system"},
    "discovery": {"training"},
    "universal": {"architectures", "nnunet", "skips", "system", "training"},
    "environment": {"discovery", "nnunet", "system"},
    "datasets": {"nnunet", "system"},
    "profiling": {"counting", "nnunet", "system"},
    "planning": {"architectures", "counting", "nnunet", "profiling", "system"},
    "results": {"datasets", "nnunet", "profiling", "statistics", "system"},
    "inspection": {"nnunet", "results", "statistics", "system"},
    "report": {"datasets", "inspection", "nnunet", "results", "statistics", "system", "training"},
    "bench": {"discovery", "nnunet", "profiling", "report", "results", "statistics", "system", "training"},
    "demo": {"bench", "datasets", "discovery", "nnunet", "report", "results", "statistics", "system", "training"},
    "api": {"architectures", "counting", "nnunet", "profiling", "report", "results", "system"},
    "cli": {
        "bench",
        "datasets",
        "demo",
        "discovery",
        "environment",
        "inspection",
        "nnunet",
        "planning",
        "profiling",
        "report",
        "results",
        "statistics",
        "system",
        "training",
        "universal",
    },
}
TRAINERS = {"architectures", "nnunet", "skips", "trainers", "training", "universal"}  # at the top level


def imported_parts(path: Path) -> set[str]:
    """The parts of nnunet_skipx that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "nnunet_skipx":
            names |= {f"nnunet_skipx.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    parts = {name.split(".")[1] for name in names if name.startswith("nnunet_skipx.")}
    return parts - TOLD


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_run_one_way(part: str) -> None:
    files = list((ROOT / "nnunet_skipx" / part).rglob("*.py"))
    assert files
    by_name = {"trainers"} if part in ("training", "environment") else set()  # a trainer's name leads to its class
    for path in files:
        wrong = imported_parts(path) - MAY_IMPORT[part] - {part} - by_name
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_trainers_are_named_by_what_they_use() -> None:
    for path in (ROOT / "trainers").glob("*.py"):
        assert imported_parts(path) <= TRAINERS, path


def test_no_folder_needs_what_it_serves() -> None:
    assert list(TopologicalSorter(MAY_IMPORT).static_order())


def test_what_may_be_imported_stands_above_in_the_house_of_contributing() -> None:
    rows = re.findall(r"^\| ((?:`\w+/`(?:, )?)+) \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    house = [name for row in rows for name in re.findall(r"\w+", row)]
    assert sorted(house) == sorted(MAY_IMPORT)
    for part, allowed in MAY_IMPORT.items():
        assert allowed - {"counting"} <= set(house[: house.index(part)]), part


def test_every_folder_of_the_package_has_a_rule_and_a_story() -> None:
    folders = [path for path in (ROOT / "nnunet_skipx").iterdir() if (path / "__init__.py").is_file()]
    assert {folder.name for folder in folders} <= MAY_IMPORT.keys()
    for folder in folders:
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())), folder


@pytest.mark.parametrize("part", ["kernels", "skips"])
def test_mechanisms_know_nothing_of_nnunet(part: str) -> None:
    for path in (ROOT / "nnunet_skipx" / part).glob("*.py"):
        assert "nnunetv2" not in path.read_text()
