"""docs/add_a_mechanism.md is true: its files in a copy of the tree are a trainer with all that belongs to one."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner

from benchmarks.vram_table import FOLDERS, MadeUp
from nnunet_skipx.system.files import write_json
from tests.checkout import ROOT, project_files
from tests.contract import SMALL
from tests.plan_shapes import dataset_json, plans

pytestmark = pytest.mark.slow
PAGE = ROOT / "docs" / "add_a_mechanism.md"
TRAINER = "nnUNetTrainerSESkips"
# All commands in one process: most of their time is the import of torch.
COMMANDS = """
import json, sys
from nnunet_skipx.cli.main import main
for words in json.loads(sys.argv[1]):
    print("$", *words, flush=True)
    assert main(words) == 0
"""


def files_of_the_page() -> dict[str, str]:
    """The code blocks with the file that stands above each."""
    return dict(re.findall(r"^`(\S+)`\n\n```python\n(.*?)^```", PAGE.read_text(), re.M | re.S))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout with the page's files."""
    copy = tmp_path_factory.mktemp("tree")
    for name in project_files():
        if not name.startswith("docs/"):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    for name, content in files_of_the_page().items():
        assert (copy / name).parent.is_dir() and not (copy / name).exists(), name
        (copy / name).write_text(content)
    return copy


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nnU-Net's folders: data set 997 with a plan of 16x24x16 voxels, 998 with a fingerprint and nnU-Net's plans."""
    root = tmp_path_factory.mktemp("workplace")
    MadeUp((32, 40, 32), (1.0, 1.0, 1.0), 20, 2).write(root)
    with pytest.MonkeyPatch.context() as monkeypatch, redirect_stdout(io.StringIO()):
        for name in FOLDERS:
            monkeypatch.setenv(name, str(root / name))
        ExperimentPlanner(998).plan_experiment()
    tiny = root / "nnUNet_preprocessed" / "Dataset997_Tiny"
    tiny.mkdir()
    write_json(tiny / "nnUNetPlans.json", plans(SMALL) | {"dataset_name": tiny.name})
    write_json(tiny / "dataset.json", dataset_json())
    return root


def python(tree: Path, workplace: Path, *words: str) -> str:
    """What Python prints in the copy, on one thread and without a GPU."""
    folders = {name: str(workplace / name) for name in FOLDERS} | {"XDG_CACHE_HOME": str(workplace)}
    quiet = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(tree)}
    variables = {**os.environ, **quiet, **folders}
    result = subprocess.run(
        [sys.executable, *words], cwd=tree, env=variables, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    return result.stdout


def test_the_pages_files_keep_all_contracts(tree: Path, workplace: Path) -> None:
    [test] = [name for name in files_of_the_page() if name.startswith("tests/")]
    assert f"-n 0 {test}" in PAGE.read_text()
    printed = python(tree, workplace, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", test)
    assert re.search(r"^\d{2,} passed in", printed, re.M), printed


def test_every_command_knows_it(tree: Path, workplace: Path) -> None:
    trainers = [TRAINER, f"{TRAINER}_twin"]
    commands = [
        ["list"],
        ["profile", "-d", "997", "-c", "test", "-tr", *trainers, "-device", "cpu", "--runs", "1", "--json"],
        ["plan", "-d", "998", "-a", "SESkips", "--vram", "8"],
    ]
    printed = python(tree, workplace, "-c", COMMANDS, json.dumps(commands))
    listed, profiled, planned = re.split(r"^\$ .*\n", printed, flags=re.M)[1:]
    assert re.search(rf"^{TRAINER} .* squeeze-and-excitation gate", listed, re.M)
    rows = {row["trainer"]: row for row in json.loads(profiled)["trainers"]}
    assert list(rows) == trainers
    assert len({row["parameters"] for row in rows.values()}) == 1, "the twin is as large"
    assert all(row["training_seconds"] > 0 for row in rows.values())
    assert "nnUNetSESkipsPlans_8G.json" in planned
    [kept] = (workplace / "nnunet_skipx").glob("vram_reference_SESkips.json")
    assert json.loads(kept.read_text())["3d"] > 560_000_000, "nnU-Net's own"


def test_the_page_is_short_enough_for_ten_minutes() -> None:
    files = files_of_the_page()
    assert len(files) == 4
    assert sum(len(content.splitlines()) for content in files.values()) < 150
