"""A universal run with nnU-Net's own commands: create, train, kill, resume, validate, extract, predict, adapt."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from nnunetv2.dataset_conversion.convert_MSD_dataset import convert_msd_dataset

from benchmarks.thick_slices import write_thick_slices
from nnunet_skipx.demo.prepare import PLANS, small_plans
from nnunet_skipx.system.files import write_json
from tests.end_to_end.conftest import DATASET, FOLDERS, Command
from tests.forking.fixture import ForkServer, run_program
from tests.forking.killing import kill

pytestmark = pytest.mark.slow
OTHERS = ("Dataset006_Thick", "Dataset007_Thicker")
UNIVERSAL = "nnUNetTrainerU2NetUniversal_demo_2epochs"
DOMAIN = "nnUNetTrainerU2Net_demo_2epochs_from500"
ADAPTED = "nnUNetTrainerU2Net_demo_2epochs_adapt500"


@pytest.fixture(scope="module")
def domains(workplace: Path, planned: Path, command: Command) -> Path:
    """Two more data sets in thick slices, planned and preprocessed, the second to adapt to; returns the results."""
    first = write_thick_slices(workplace / "Task99_Phantom", workplace)
    shutil.copytree(first, workplace / "Task07_Thicker")
    patch = pytest.MonkeyPatch()
    for name in FOLDERS:
        patch.setenv(name, str(workplace / name))
    for source in (first, workplace / "Task07_Thicker"):
        convert_msd_dataset(str(source))
    patch.undo()
    command("nnUNetv2_plan_and_preprocess", "-d", 6, 7, "-c", "3d_fullres", "-np", 1, "-npfp", 1)
    for name in OTHERS:
        folder = workplace / "nnUNet_preprocessed" / name
        plans = small_plans(folder / "nnUNetPlans.json")
        for configuration in plans["configurations"].values():
            configuration["batch_size"] = 2
        write_json(folder / f"{PLANS}.json", plans)
    return workplace / "nnUNet_results"


def kill_after_an_epoch(python: Path, variables: dict[str, str], checkpoint: Path) -> None:
    """Start the training and kill it, workers included, once it has saved its first epoch."""
    process = subprocess.Popen(
        [python, "nnUNetv2_train", "500", "3d_fullres", "0", "-tr", UNIVERSAL, "-p", PLANS, "-device", "cpu"],
        env=variables,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(3000):
        if checkpoint.is_file() or process.poll() is not None:
            break
        time.sleep(0.1)
    kill(process, checkpoint.parent)


def test_a_universal_run_from_create_to_adapt(
    workplace: Path, domains: Path, command: Command, forks: ForkServer, forked: dict[str, str]
) -> None:
    command("skipx", "universal", "create", "-d", 99, 6, "--id", 500, "-p", PLANS)
    again = command("skipx", "universal", "create", "-d", 99, 6, "--id", 500, "-p", PLANS, check=False)
    assert again.returncode == 2
    assert "the id 500 is taken" in again.stderr

    fold = domains / "Dataset500_Universal" / f"{UNIVERSAL}__{PLANS}__3d_fullres" / "fold_0"
    kill_after_an_epoch(forks.python, forked, fold / "checkpoint_latest.pth")
    common = ("-tr", UNIVERSAL, "-p", PLANS, "-device", "cpu")
    resumed = command("nnUNetv2_train", 500, "3d_fullres", 0, *common, "--c").stdout
    assert "Epoch 1" in resumed
    assert "Epoch 0" not in resumed
    assert (fold / "progress_domains.png").stat().st_size > 1000
    summaries = [
        domains / name / f"{DOMAIN}__{PLANS}__3d_fullres" / "fold_0" / "validation" / "summary.json"
        for name in (DATASET, OTHERS[0])
    ]
    before = [path.read_text() for path in summaries]
    assert all(json.loads(text)["metric_per_case"] for text in before)
    run_summary = json.loads((fold / "validation" / "summary.json").read_text())
    assert set(run_summary["domains"]) == {DATASET, OTHERS[0]}

    for path in summaries:
        path.unlink()
    command("nnUNetv2_train", 500, "3d_fullres", 0, *common, "--val")
    assert [path.read_text() for path in summaries] == before

    command("skipx", "universal", "extract", "-d", 500)
    images, output = workplace / "nnUNet_raw" / OTHERS[0] / "imagesTs", workplace / "predicted_universal"
    command(
        "nnUNetv2_predict",
        "-d",
        6,
        "-i",
        images,
        "-o",
        output,
        "-f",
        0,
        "-c",
        "3d_fullres",
        "-tr",
        DOMAIN,
        "-p",
        PLANS,
        "-device",
        "cpu",
        "-npp",
        1,
        "-nps",
        1,
    )
    assert len(list(output.glob("*.nii.gz"))) == len(list(images.glob("*.nii.gz"))) > 0
    words = ("bench", "--test", "-d", 6, "-c", "3d_fullres", "-tr", DOMAIN, "-p", PLANS, "-f", 0, "-device", "cpu")
    assert "Dataset006_Thick has no labelsTs" in command("skipx", *words).stdout
    tested = domains / OTHERS[0] / f"{DOMAIN}__{PLANS}__3d_fullres" / "test_folds_0"
    assert {p.name: p.read_bytes() for p in tested.glob("*.nii.gz")} == {
        p.name: p.read_bytes() for p in output.glob("*.nii.gz")
    }
    command(
        "nnUNetv2_export_model_to_zip",
        "-d",
        99,
        "-o",
        workplace / "model.zip",
        "-c",
        "3d_fullres",
        "-tr",
        DOMAIN,
        "-p",
        PLANS,
        "-f",
        0,
    )
    refused = command(
        "nnUNetv2_predict", "-d", 500, "-i", images, "-o", output, "-f", 0, "-c", "3d_fullres", *common, check=False
    )
    assert "skipx universal extract -d 500" in refused.stderr

    best = ("nnUNetv2_find_best_configuration", 500, "-tr", UNIVERSAL, "-p", PLANS, "-c", "3d_fullres", "-f", 0)
    assert "run skipx universal extract -d 500" in command(*best, "-np", 1, check=False).stderr.splitlines()[-1]
    export = ("nnUNetv2_export_model_to_zip", "-c", "3d_fullres", "-p", PLANS, "-f", 0)
    command(*export, "-d", 500, "-tr", UNIVERSAL, "-o", workplace / "run.zip")
    elsewhere = {**forked, "nnUNet_results": str(workplace / "elsewhere"), "nnUNet_preprocessed": str(workplace / "no")}
    (workplace / "elsewhere").mkdir()
    for words in (
        ("nnUNetv2_install_pretrained_model_from_zip", workplace / "run.zip"),
        ("skipx", "universal", "extract", "-d", 500),
        (*export, "-d", DATASET, "-tr", DOMAIN, "-o", workplace / "domain.zip"),
    ):
        run_program([forks.python, *words], elsewhere, check=True)

    command("skipx", "universal", "adapt", "--id", 500, "-d", 7, "-f", 0, "-p", PLANS, "-device", "cpu", "--npz")
    assert (fold / "checkpoint_adapted.pth").is_file()
    extracted = command("skipx", "universal", "extract", "-d", 500).stdout
    assert (extracted.count("wrote "), extracted.count("left ")) == (2, 1), "the adapted domain was trained there"
    summary = domains / OTHERS[1] / f"{ADAPTED}__{PLANS}__3d_fullres" / "fold_0" / "validation" / "summary.json"
    assert json.loads(summary.read_text())["metric_per_case"]
    assert list(summary.parent.glob("*.npz"))

    report = workplace / "report_universal"
    command("skipx", "report", "-d", 99, 6, "-f", 0, "-p", PLANS, "-tr", DOMAIN, "--baseline", DOMAIN, "-o", report)
    assert "Dataset006_Thick" in (report / "report.html").read_text()
