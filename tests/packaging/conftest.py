"""The wheel and the source archive, built once from a copy of this checkout; an environment with the wheel in it."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.checkout import ROOT, project_files


def run(*words: object, folder: Path, check: bool = True) -> subprocess.CompletedProcess:
    """Run a program that sees nothing of this checkout; says what it said where it had to succeed."""
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "nnUNet_extTrainer")}
    quiet = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = list(map(str, words))
    made = subprocess.run(command, cwd=folder, env={**variables, **quiet}, capture_output=True, text=True, check=False)
    assert made.returncode == 0 or not check, made.stdout[-2000:] + made.stderr[-4000:]
    return made


@dataclass(frozen=True)
class Built:
    """What a release consists of."""

    wheel: Path
    source: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Both archives; the wheel is built from the source archive."""
    copy, folder = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for name in project_files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    run(sys.executable, "-m", "build", "--no-isolation", "-o", folder, copy, folder=folder)
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel, source)


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    outside: the packages of this Python can be imported in it, too, as system-wide ones would.
    """

    folder: Path
    outside: bool = True

    @classmethod
    def made(cls, folder: Path, outside: bool = True) -> "Environment":
        """A new one."""
        venv.create(folder, with_pip=not outside)
        made = cls(folder, outside)
        if outside:
            (made.site_packages / "outside.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        return made

    def install(self, wheel: Path) -> str:
        """Install a wheel, with all that it needs where nothing can be imported from outside; says what pip says."""
        if self.outside:
            return self.pip("install", "--no-deps", "--no-index", wheel).stdout
        return self.run("python", "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel).stdout

    @property
    def site_packages(self) -> Path:
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found

    def files(self) -> set[Path]:
        """All that is in it but what Python compiled."""
        return {path for path in self.folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}

    def pip(self, *words: object) -> subprocess.CompletedProcess:
        """This Python's pip, which downloads nothing, on the environment."""
        command = (sys.executable, "-m", "pip", "--isolated", "--python", self.folder, *words)
        return run(*command, folder=self.folder)

    def run(self, *words: object, check: bool = True) -> subprocess.CompletedProcess:
        """One of its programs."""
        return run(self.folder / "bin" / str(words[0]), *words[1:], folder=self.folder, check=check)

    def shell(self, line: str, folder: Path | None = None) -> subprocess.CompletedProcess:
        """A command as a user types it, with this Python's pip for the environment's, which has none."""
        program = f"{sys.executable} -m pip --isolated --python {self.folder}"
        return run("sh", "-c", line.replace("python -m pip", program), folder=folder or self.folder)


@pytest.fixture
def empty(tmp_path: Path) -> Environment:
    """An environment that has nothing of its own."""
    return Environment.made(tmp_path / "environment")
