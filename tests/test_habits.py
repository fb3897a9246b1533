"""What a developer's machine checks before a commit is what CI checks; what is written once is not listed again."""

import ast
import re
from pathlib import Path

import pytest

from nnunet_skipx.architectures import NETWORKS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "nnunet_skipx"


def test_pre_commit_has_the_pinned_ruff() -> None:
    pinned = re.findall(r"^ruff==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    used = re.findall(r"ruff==([\d.]+)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert set(used) == set(pinned)


def test_nothing_is_kept_from_the_formatter() -> None:
    files = [
        path for folder in ("nnunet_skipx", "trainers", "benchmarks", "tests") for path in (ROOT / folder).rglob("*.py")
    ]
    switch = "# fmt" + ":"
    assert not [path for path in files if switch in path.read_text()]


@pytest.mark.parametrize(("text", "home"), [("torch.autocast(", "precision.py"), ("F.conv3d", "convolution.py")])
def test_what_every_network_needs_has_one_home(text: str, home: str) -> None:
    networks = [path for folder in ("kernels", "skips", "architectures") for path in (PACKAGE / folder).glob("*.py")]
    assert [path.name for path in networks if text in path.read_text()] == [home]


def listed_networks(node: ast.AST) -> set[str]:
    """The networks that a list, tuple or set of words names, as such or as their trainers."""
    words = [item.value for item in getattr(node, "elts", []) if isinstance(item, ast.Constant)]
    return {name for name in NETWORKS if any(str(word).endswith(name) for word in words)}


def test_no_list_of_all_networks_stands_beside_the_one_that_is_found() -> None:
    for folder in ("nnunet_skipx", "benchmarks", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            lists = [node for node in ast.walk(ast.parse(path.read_text())) if listed_networks(node) == set(NETWORKS)]
            # `__all__` of the package of networks is for type checkers
            assert not lists or path.parent.name == "architectures", (
                f"{path}, line {lists[0].lineno}: take nnunet_skipx.architectures.NETWORKS, which finds new ones"
            )


def share_up_to(limit: int, lengths: dict[str, int], never: int) -> float:
    """How many of them are no longer than the limit; none may be longer than `never`."""
    too_long = {name: length for name, length in lengths.items() if length > never}
    assert not too_long, f"longer than {never} lines: {too_long}"
    return sum(length <= limit for length in lengths.values()) / len(lengths)


def test_files_and_functions_are_as_short_as_contributing_says() -> None:
    files = {str(path): path.read_text() for folder in (PACKAGE, ROOT / "trainers") for path in folder.rglob("*.py")}
    functions = {
        f"{path}, {node.name}": node.end_lineno - node.lineno + 1
        for path, text in files.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.end_lineno
    }
    told = (ROOT / "CONTRIBUTING.md").read_text().replace("\n", " ")
    assert "at most 120 lines, most functions at most 20; none has more than 300 and 60" in " ".join(told.split())
    assert share_up_to(120, {path: len(text.splitlines()) for path, text in files.items()}, never=300) > 2 / 3
    assert share_up_to(20, functions, never=60) > 2 / 3
