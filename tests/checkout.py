"""The files that the project consists of, whether this is a clone or an unpacked source archive."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
MADE = {"__pycache__", "build", "dist", "skipx_demo", "nnunet_skipx.egg-info", "PKG-INFO", "setup.cfg"}
CACHES = {".venv", ".git", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}


def project_files() -> list[str]:
    """Paths below `ROOT`: what git tracks, and without git whatever nobody made by building or testing."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z"]
        tracked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        return [name for name in tracked.split("\0") if (ROOT / name).is_file() and name]
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if not {*MADE, *CACHES} & set(path.parts))
