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
