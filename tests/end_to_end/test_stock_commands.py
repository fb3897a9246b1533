"""nnU-Net's own commands with `-tr nnUNetTrainerUTANet...`, from planning to an installed model.

Each command once as its installed script (`console`), the others forked (`command`).
"""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import blosc2
import pytest
import SimpleITK as sitk

from tests.end_to_end.conftest import DATASET, Command, console_script, environment

pytestmark = pytest.mark.slow
DRAWN = "foreground_intensity_properties_per_channel"
TRAINER = "nnUNetTrainerUTANet_demo_1epochs"
PLANS = "nnUNetDemoPlans"
CONFIGURATIONS = ("2d", "3d_fullres")


def model(workplace: Path, configuration: str, trainer: str = TRAINER) -> Path:
    return workplace / "nnUNet_results" / DATASET / f"{trainer}__{PLANS}__{configuration}"


@pytest.fixture(scope="module")
def trained(workplace: Path, planned: Path, command: Command) -> Path:
    """Two folds of both configurations."""
    for configuration in CONFIGURATIONS:
        for fold in (0, 1):
            command("nnUNetv2_train", 99, configuration, fold, "-tr", TRAINER, "-p", PLANS, "-device", "cpu", "--npz")
    return workplace


@pytest.fixture(scope="module")
def predicted(trained: Path, console: Command, command: Command) -> dict[str, Path]:
    """Predictions of both folds' ensemble on the test images, with probabilities."""
    images = trained / "nnUNet_raw" / DATASET / "imagesTs"
    folders = {configuration: trained / f"predicted_{configuration}" for configuration in CONFIGURATIONS}
    for (configuration, folder), run in zip(folders.items(), (command, console), strict=True):
        predict(run, images, folder, configuration, "--save_probabilities")
    return folders


def predict(command: Command, images: Path, output: Path, configuration: str, *more: str) -> None:
    command(
        "nnUNetv2_predict",
        "-d",
        99,
        "-i",
        images,
        "-o",
        output,
        "-f",
        0,
        1,
        "-tr",
        TRAINER,
        "-p",
        PLANS,
        "-c",
        configuration,
        "-device",
        "cpu",
        "-npp",
        1,
        "-nps",
        1,
        *more,
    )


def labels(path: Path) -> list:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path))).tolist()


def test_the_installed_script_plans_and_preprocesses_as_its_fork_did(
    workplace: Path, planned: Path, console: Command
) -> None:
    before, drawn_before = written(planned)
    console("nnUNetv2_plan_and_preprocess", "-d", 99, "-c", "2d", "3d_fullres", "-np", 1, "-npfp", 1, "--clean")
    after, drawn_after = written(planned)
    assert after == before
    assert drawn_before
    assert drawn_after == pytest.approx(drawn_before, rel=0.02)  # the fork draws fewer voxels, see `few_voxels`


def written(folder: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """Content of every file, but for the statistics of voxels that nnU-Net draws; and these."""
    contents: dict[str, Any] = {}
    drawn: dict[str, float] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.suffix == ".json":
            contents[str(path)] = found = json.loads(path.read_text())
            for channel, statistics in found.pop(DRAWN, {}).items() if isinstance(found, dict) else ():
                drawn |= {f"{path.name} {channel} {name}": value for name, value in statistics.items()}
        else:
            contents[str(path)] = blosc2.open(str(path))[:].tobytes() if path.suffix == ".b2nd" else path.read_bytes()
    return contents, drawn


def test_training_validates_every_case_of_its_fold(trained: Path) -> None:
    for configuration in CONFIGURATIONS:
        for fold in (0, 1):
            folder = model(trained, configuration) / f"fold_{fold}"
            summary = json.loads((folder / "validation" / "summary.json").read_text())
            assert summary["metric_per_case"]
            assert (folder / "checkpoint_final.pth").is_file()


def test_a_report_with_every_metric_reads_what_nnunet_wrote(trained: Path, command: Command, tmp_path: Path) -> None:
    letters = ["-d", 99, "-c", *CONFIGURATIONS, "-tr", TRAINER, "-p", PLANS, "-f", 0, 1]
    asked = ["--nsd-mm", 1, "--lesions", "--lesion-min-mm3", 2, "--calibration", "--check-metrics"]
    images = ["--references", trained / "nnUNet_raw" / DATASET / "labelsTr"]
    images += ["--images", trained / "nnUNet_raw" / DATASET / "imagesTr"]
    command("skipx", "report", *letters, *asked, *images, "-o", tmp_path)
    (comparison,) = json.loads((tmp_path / "report.json").read_text())["comparisons"]
    metrics = {line["metric"] for line in comparison["other_metrics"]}
    assert {"IoU", "NSD (1 mm)", "HD95 (mm, found only)", "ECE (10 bins)", "Brier score (x 1000)"} <= metrics
    assert {"lesion F1 (IoU > 0.5, 2 mm3 or more)", "lesion PQ (IoU > 0.5, 2 mm3 or more)"} <= metrics
    assert [note for note in comparison["notes"] if note.startswith("Checked with surface-distance")]


def test_prediction_writes_every_test_image(trained: Path, predicted: dict[str, Path]) -> None:
    images = {p.name.replace("_0000", "") for p in (trained / "nnUNet_raw" / DATASET / "imagesTs").glob("*.nii.gz")}
    for folder in predicted.values():
        assert {p.name for p in folder.glob("*.nii.gz")} == images


def test_validation_alone_reproduces_the_predictions(trained: Path, command: Command) -> None:
    validation = model(trained, "3d_fullres") / "fold_0" / "validation"
    before = {p.name: labels(p) for p in validation.glob("*.nii.gz")}
    assert before
    shutil.rmtree(validation)
    command("nnUNetv2_train", 99, "3d_fullres", 0, "-tr", TRAINER, "-p", PLANS, "-device", "cpu", "--val", "--npz")
    assert {p.name: labels(p) for p in validation.glob("*.nii.gz")} == before


def test_a_killed_training_continues_where_it_was(workplace: Path, planned: Path, command: Command) -> None:
    trainer = "nnUNetTrainerUTANet_demo_3epochs"
    arguments = ["99", "2d", "0", "-tr", trainer, "-p", PLANS, "-device", "cpu"]
    folder = model(workplace, "2d", trainer) / "fold_0"
    process = subprocess.Popen(
        [console_script("nnUNetv2_train"), *arguments],
        env=environment(workplace),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while not (folder / "checkpoint_latest.pth").is_file() or "Epoch 1" not in all_logs(folder):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)  # its workers too, which would wait forever
    process.wait()
    assert not (folder / "checkpoint_final.pth").exists()
    killed_logs = set(folder.glob("training_log_*"))
    command("nnUNetv2_train", *arguments, "--c")
    resumed = "".join(p.read_text() for p in set(folder.glob("training_log_*")) - killed_logs)
    assert ": Epoch 0" not in resumed
    assert ": Epoch 2" in resumed
    assert (folder / "validation" / "summary.json").is_file()


def all_logs(folder: Path) -> str:
    return "".join(p.read_text() for p in folder.glob("training_log_*"))


def test_find_best_configuration_ensemble_and_postprocessing(
    trained: Path, predicted: dict[str, Path], console: Command
) -> None:
    console(
        "nnUNetv2_find_best_configuration", 99, "-tr", TRAINER, "-p", PLANS, "-c", *CONFIGURATIONS, "-f", 0, 1, "-np", 1
    )
    information = json.loads((trained / "nnUNet_results" / DATASET / "inference_information.json").read_text())
    best = information["best_model_or_ensemble"]
    assert TRAINER in json.dumps(best["selected_model_or_models"])
    ensemble = trained / "ensemble"
    console("nnUNetv2_ensemble", "-i", *predicted.values(), "-o", ensemble, "-np", 1)
    assert len(list(ensemble.glob("*.nii.gz"))) == 2
    console(
        "nnUNetv2_apply_postprocessing",
        "-i",
        predicted["3d_fullres"],
        "-o",
        trained / "postprocessed",
        "-pp_pkl_file",
        best["postprocessing_file"],
        "-plans_json",
        best["some_plans_file"],
        "-np",
        1,
    )
    assert len(list((trained / "postprocessed").glob("*.nii.gz"))) == 2


def test_an_exported_model_predicts_the_same_after_installing_it_elsewhere(
    trained: Path, predicted: dict[str, Path], console: Command, command: Command
) -> None:
    archive = trained / "model.zip"
    console(
        "nnUNetv2_export_model_to_zip",
        "-d",
        99,
        "-o",
        archive,
        "-c",
        "3d_fullres",
        "-tr",
        TRAINER,
        "-p",
        PLANS,
        "-f",
        0,
        1,
    )
    results, aside = trained / "nnUNet_results", trained / "original_results"
    results.rename(aside)
    try:
        results.mkdir()
        console("nnUNetv2_install_pretrained_model_from_zip", archive)
        folder = trained / "predicted_installed"
        images = trained / "nnUNet_raw" / DATASET / "imagesTs"
        predict(command, images, folder, "3d_fullres")
        expected = {p.name: labels(p) for p in predicted["3d_fullres"].glob("*.nii.gz")}
        assert {p.name: labels(p) for p in folder.glob("*.nii.gz")} == expected
    finally:
        shutil.rmtree(results)
        aside.rename(results)


def test_two_stage_training_from_a_stock_checkpoint(trained: Path, planned: Path, command: Command) -> None:
    stock = "nnUNetTrainer_demo_1epochs"
    command("nnUNetv2_train", 99, "3d_fullres", 0, "-tr", stock, "-p", PLANS, "-device", "cpu")
    checkpoint = model(trained, "3d_fullres", stock) / "fold_0" / "checkpoint_final.pth"
    second = "nnUNetTrainerUTANet_stage2_demo_1epochs"
    arguments = (99, "3d_fullres", 0, "-tr", second, "-p", PLANS, "-device", "cpu")
    refused = command("nnUNetv2_train", *arguments, check=False)
    assert refused.returncode != 0
    assert "-pretrained_weights" in refused.stderr
    command("nnUNetv2_train", *arguments, "-pretrained_weights", checkpoint)
    assert (model(trained, "3d_fullres", second) / "fold_0" / "validation" / "summary.json").is_file()


def test_weights_of_our_own_network_start_another_training(trained: Path, command: Command) -> None:
    checkpoint = model(trained, "3d_fullres") / "fold_0" / "checkpoint_final.pth"
    command(
        "nnUNetv2_train",
        99,
        "3d_fullres",
        1,
        "-tr",
        "nnUNetTrainerUTANet_demo_2epochs",
        "-p",
        PLANS,
        "-device",
        "cpu",
        "-pretrained_weights",
        checkpoint,
    )


def test_the_stock_trainer_trains_our_network_by_its_plans(trained: Path, command: Command) -> None:
    command("skipx", "plan", "-d", 99, "-a", "UTANet", "-p", PLANS)
    command(
        "nnUNetv2_train",
        99,
        "2d",
        0,
        "-tr",
        "nnUNetTrainer_demo_1epochs",
        "-p",
        "nnUNetUTANetDemoPlans",
        "-device",
        "cpu",
    )


def test_a_misspelt_variant_ends_with_the_list_of_what_exists(trained: Path, command: Command) -> None:
    result = command("nnUNetv2_train", 99, "2d", 0, "-tr", "nnUNetTrainerUTANet_twn", "-device", "cpu", check=False)
    assert result.returncode != 0
    assert "_stage2" in result.stderr
