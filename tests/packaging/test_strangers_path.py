"""A stranger's path: an environment with nothing of ours, the wheel, and the README's lines in order, on real data."""

import json
import shutil
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest

from nnunet_skipx.demo.prepare import small_plans
from nnunet_skipx.system.files import write_json
from tests.checkout import ROOT
from tests.docs.pages import blocks
from tests.packaging.conftest import Built, Environment

pytestmark = pytest.mark.slow
TASK = ROOT.parent / "shared" / "data" / "Task04_Hippocampus"
CASES = 8
SHORT = "_demo_1epochs"  # behind every trainer's name: a real schedule takes days
AS_WELL = {  # what a stranger without a GPU, with two cores and little time types behind a line
    "nnUNetv2_plan": " -npfp 1 -np 1",  # else some thirty processes, each of which imports all
    "skipx bench": " -f 0 -device cpu --jobs 1",
    "skipx report": " -f 0",
    "skipx inspect": " -f 0 -device cpu",
}


def lines_of_the_readme() -> Iterator[str]:
    """From the installation to the report: the blocks of two headings, without what needs a name filled in."""
    page = ROOT / "README.md"
    wanted, lines = False, page.read_text().splitlines()
    for number, line in blocks(page):
        heading = next(text for text in reversed(lines[:number]) if text.startswith("## "))
        wanted = heading in ("## Two commands", "## From data to a report")
        if wanted and "DATASET" not in line:
            yield line.partition("  #")[0].strip()


def fetched(folder: Path) -> None:
    """What `skipx fetch msd 4` downloads, of a few cases."""
    told = json.loads((TASK / "dataset.json").read_text())
    told |= {"training": told["training"][:CASES], "numTraining": CASES, "test": [], "numTest": 0}
    (folder / TASK.name / "imagesTs").mkdir(parents=True)
    for name in (entry[part] for entry in told["training"] for part in ("image", "label")):
        (folder / TASK.name / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TASK / name, folder / TASK.name / name)
    write_json(folder / TASK.name / "dataset.json", told)


def install_nnunets_commands(environment: Environment) -> None:
    """Those of the nnU-Net that is there already, for this environment's Python."""
    for script in distribution("nnunetv2").entry_points.select(group="console_scripts"):
        program = environment.folder / "bin" / script.name
        start = f"from {script.module} import {script.attr}\nif __name__ == '__main__':\n    {script.attr}()\n"
        program.write_text(f"#!{program.with_name('python')}\n{start}")
        program.chmod(0o755)


@pytest.mark.skipif(not TASK.is_dir(), reason="needs MSD Task04 beside the checkout")
@pytest.mark.parametrize("downloads", [False, True], ids=["beside nnU-Net", "only Python"])
def test_the_readmes_lines_in_order_end_in_a_report(
    downloads: bool, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if downloads and request.config.getoption("--hypothesis-profile") != "long":
        pytest.skip("downloads torch, nnU-Net and all else, 6.5 GB: make test-long")
    environment = Environment.made(tmp_path / "environment", outside=not downloads)
    if not downloads:
        install_nnunets_commands(environment)
    monkeypatch.setenv("PATH", f"{environment.folder / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("nnUNet_def_n_proc", "1")
    said = {}
    for line in lines_of_the_readme():
        said[line] = typed(line, built, environment, tmp_path, monkeypatch)
    assert "3 of 3 cells are done" in answer_to(said, "skipx bench", last=True)
    assert "nnUNetTrainerUTANet" in answer_to(said, "skipx report")
    assert "A test run, not a result" in (tmp_path / "skipx_report" / "report.html").read_text()
    assert "zeroed" in answer_to(said, "skipx inspect")


def answer_to(said: dict[str, str], start: str, last: bool = False) -> str:
    """What the only line, or the last one, that begins like this answered."""
    answers = [text for line, text in said.items() if line.startswith(start)]
    assert last or len(answers) == 1
    return answers[-1]


def typed(line: str, built: Built, environment: Environment, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a line of the README answers; a few are filled in for a machine without network, GPU and time."""
    if line == "pip install .":
        return environment.install(built.wheel)
    if line.startswith("export "):
        for word in line.split()[1:]:
            name, _, value = word.partition("=")
            there = folder / Path(value).relative_to("/data")
            there.mkdir()
            monkeypatch.setenv(name, str(there))
        return ""
    if line == "skipx fetch msd 4":
        fetched(folder)
        return ""
    words = [word + SHORT if word.startswith("nnUNetTrainer") else word for word in line.split()]
    more = next((text for start, text in AS_WELL.items() if line.startswith(start)), "")
    answer = environment.shell(" ".join(words) + more, folder).stdout
    if line.startswith("nnUNetv2_plan"):
        plans = folder / "nnUNet_preprocessed" / "Dataset004_Hippocampus" / "nnUNetPlans.json"
        small = small_plans(plans) | {"plans_name": "nnUNetPlans"}
        small["configurations"]["3d_fullres"]["patch_size"] = [24, 32, 24]
        write_json(plans, small)
    return answer
