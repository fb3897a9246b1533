"""What a developer's machine checks before a commit is what CI checks."""

import re
from pathlib import Path

import pytest

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
