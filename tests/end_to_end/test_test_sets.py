"""A test set from bench to report: predicted by the folds' ensemble, killed, gone on with, the numbers nnU-Net's."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import SimpleITK as sitk

from tests.end_to_end.conftest import DATASET, PLANS, Command
from tests.forking.fixture import ForkServer
from tests.forking.killing import kill

pytestmark = pytest.mark.slow
TRAINERS = ["nnUNetTrainer_demo_1epochs", "nnUNetTrainerUTANet_demo_1epochs"]
CELLS = ["-d", "99", "-c", "2d", "-p", PLANS, "-tr", *TRAINERS, "-f", "0", "1"]
ENSEMBLE = "test_folds_0_1"
CASES = 6
Bench = Callable[..., subprocess.Popen]


@pytest.fixture(scope="module")
def trained(workplace: Path, planned: Path, command: Command) -> Path:
    """Two folds of two trainers; the training cases are the test set, under other names and with their labels."""
    command("skipx", "bench", *CELLS, "-device", "cpu")
    raw = workplace / "nnUNet_raw" / DATASET
    shutil.rmtree(raw / "imagesTs")
    for image in sorted((raw / "imagesTr").iterdir()):
        for source, target in ((image, "imagesTs"), (raw / "labelsTr" / image.name.replace("_0000", ""), "labelsTs")):
            (raw / target).mkdir(exist_ok=True)
            shutil.copy(source, raw / target / f"held_out_{source.name}")
    return workplace


def folder(trained: Path, trainer: str) -> Path:
    return trained / "nnUNet_results" / DATASET / f"{trainer}__{PLANS}__2d" / ENSEMBLE


def log(trained: Path, trainer: str) -> str:
    name = f"{trainer}__{PLANS}__2d"
    return (trained / "nnUNet_results" / "skipx_bench" / DATASET / name / f"{ENSEMBLE}.log").read_text()


def labels(path: Path) -> list:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path))).tolist()


def start(forks: ForkServer, variables: dict[str, str]) -> subprocess.Popen:
    words = [forks.python, "skipx", "bench", "--test", *CELLS, "-device", "cpu", "--jobs", "1"]
    return subprocess.Popen(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_killed_and_gone_on_with_it_is_what_nnunets_own_commands_make(
    trained: Path, command: Command, forks: ForkServer, forked: dict[str, str]
) -> None:
    first, second = (folder(trained, trainer) for trainer in TRAINERS)
    for made in (first, second, trained / "nnUNet_results" / "skipx_bench"):
        shutil.rmtree(made, ignore_errors=True)
    dry = command("skipx", "bench", "--test", *CELLS, "--dry-run").stdout
    assert dry.count("missing") == 2 and "0 of 2 test sets are done." in dry
    assert not first.exists(), "a dry run writes nothing"

    process = start(forks, forked)
    deadline = time.monotonic() + 120
    while not list(first.glob("*.nii.gz")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    kill(process, trained / "nnUNet_results")
    cut = min(first.glob("*.nii.gz"))
    cut.write_bytes(cut.read_bytes()[:100])  # as a kill in the middle of writing leaves it
    (first / "summary.json").unlink(missing_ok=True)
    whole = {path: path.stat().st_mtime_ns for path in first.glob("*.nii.gz") if path != cut}

    output = start(forks, forked).communicate(timeout=300)[0]
    assert "2 of 2 cells are done." in output
    assert f"of {CASES} cases are predicted already" in log(trained, TRAINERS[0])
    assert {path: path.stat().st_mtime_ns for path in whole} == whole

    for trainer, made in zip(TRAINERS, (first, second), strict=True):
        raw, own = trained / "nnUNet_raw" / DATASET, trained / f"own_{trainer}"
        model = ["-d", 99, "-c", "2d", "-tr", trainer, "-p", PLANS, "-f", 0, 1]
        command("nnUNetv2_predict", "-i", raw / "imagesTs", "-o", own, *model, "-device", "cpu", "-npp", 1, "-nps", 1)
        files = ["-djfile", own / "dataset.json", "-pfile", own / "plans.json", "-np", 1]
        command("nnUNetv2_evaluate_folder", raw / "labelsTs", own, *files)
        maps = {path.name: labels(path) for path in own.glob("*.nii.gz")}
        assert {path.name: labels(path) for path in made.glob("*.nii.gz")} == maps
        assert len(maps) == CASES
        theirs, ours = (json.loads((where / "summary.json").read_text()) for where in (own, made))
        assert ours["mean"] == theirs["mean"]

    again = start(forks, forked).communicate(timeout=300)[0]
    assert "2 of 2 cells are done." in again
    assert log(trained, TRAINERS[1]).count("predicted already") == 1, "what is done stays"


def test_the_report_is_of_the_test_set(trained: Path, command: Command) -> None:
    command("skipx", "bench", "--test", *CELLS, "-device", "cpu")
    out = trained / "report"
    text = command("skipx", "report", "--test", *CELLS, "--nsd-mm", 1, "-o", out).stdout
    assert f"{DATASET}, MSD Task99 Phantom 5-fold" in text
    assert f"test set of {CASES} cases, ensemble of folds 0, 1; {PLANS} 2d" in text
    assert "nothing is decided" in text
    (content,) = json.loads((out / "report.json").read_text())["comparisons"]
    for row in content["rows"]:
        summary = json.loads((folder(trained, row["name"]) / "summary.json").read_text())
        assert row["foreground_mean"] == pytest.approx(summary["foreground_mean"]["Dice"])
    assert [contrast["reason"] for contrast in content["contrasts"]] == ["one training"]
    page = (out / "report.html").read_text()
    assert "Worst case, held_out_" in page
    refused = command("skipx", "report", "--test", *CELLS[:-1], "-o", out, check=False)
    assert "no test predictions by the network of fold 0 yet" in refused.stderr
    assert "(there is that of the ensemble of folds 0, 1)" in refused.stderr
