"""Imports run one way: skips -> architectures -> training -> trainers; benchmark and datasets stand alone."""
import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# They know nothing else of the package.
SMALL_TOOLS = {"__version__", "batch_shapes", "checkpoints", "counting", "files", "planned", "protocol", "text_table"}
MAY_IMPORT = {
    "skips": {"skips"},
    "architectures": {"skips", "architectures"},
    "augmentation": {"augmentation"},
    "training": {"skips", "architectures", "augmentation", "training", "trainers"},
    "trainers": {"skips", "architectures", "training", "trainers", "universal"},
    "benchmark": {"benchmark"},
    "planning": {"architectures", "benchmark", "planning"},
    "cluster": {"benchmark", "cluster", "discovery"},
    "datasets": {"datasets"},
    "universal": {"skips", "architectures", "training", "universal"},
    "discovery": {"discovery", "training"},
    "environment": {"discovery", "environment", "trainers"},
    "demo": {"benchmark", "cluster", "datasets", "demo", "discovery", "training"},
}


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
    return parts - SMALL_TOOLS


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_run_one_way(part: str) -> None:
    folder = ROOT / "trainers" if part == "trainers" else ROOT / "nnunet_skipx" / part
    files = list(folder.rglob("*.py"))
    assert files
    for path in files:
        wrong = imported_parts(path) - MAY_IMPORT[part]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_every_folder_of_the_package_has_a_rule() -> None:
    folders = {path.name for path in (ROOT / "nnunet_skipx").iterdir() if (path / "__init__.py").is_file()}
    assert folders <= MAY_IMPORT.keys()


def test_mechanisms_know_nothing_of_nnunet() -> None:
    for path in (ROOT / "nnunet_skipx" / "skips").glob("*.py"):
        assert "nnunetv2" not in path.read_text()
