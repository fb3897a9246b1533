"""Every other trainer trains and predicts through nnU-Net's commands; test_stock_commands.py has UTANet's whole way."""

import json
from pathlib import Path

import pytest

from nnunet_skipx.training.declared import single_trainers
from tests.end_to_end.conftest import DATASET, Command

pytestmark = pytest.mark.slow
PLANS = "nnUNetDemoPlans"
TRAINERS = [name for name in single_trainers() if name not in ("nnUNetTrainer", "nnUNetTrainerUTANet")]
IN_2D = {"nnUNetTrainerXUNet": "_attn_gpuaug", "nnUNetTrainerMSAUNet": "_twin"}  # with these options; others in 3D


@pytest.mark.parametrize(
    ("trainer", "configuration"),
    [(f"{name}{IN_2D.get(name, '')}_demo_1epochs", "2d" if name in IN_2D else "3d_fullres") for name in TRAINERS],
)
def test_a_trainer_needs_no_more_than_its_name(
    workplace: Path, planned: Path, command: Command, trainer: str, configuration: str
) -> None:
    common = ("-tr", trainer, "-p", PLANS, "-device", "cpu")
    command("nnUNetv2_train", 99, configuration, 0, *common)
    model = workplace / "nnUNet_results" / DATASET / f"{trainer}__{PLANS}__{configuration}"
    summary = json.loads((model / "fold_0" / "validation" / "summary.json").read_text())
    assert summary["metric_per_case"]
    images, output = workplace / "nnUNet_raw" / DATASET / "imagesTs", workplace / f"predicted_{trainer}"
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
        "-c",
        configuration,
        *common,
        "-npp",
        1,
        "-nps",
        1,
    )
    assert len(list(output.glob("*.nii.gz"))) == len(list(images.glob("*.nii.gz")))
