"""Every other trainer trains and predicts through nnU-Net's commands; test_stock_commands.py has UTANet's whole way."""

import json
from pathlib import Path

import pytest

from tests.end_to_end.conftest import DATASET, Command

pytestmark = pytest.mark.slow
PLANS = "nnUNetDemoPlans"


@pytest.mark.parametrize(
    ("trainer", "configuration"),
    [
        ("nnUNetTrainerXUNet_attn_gpuaug_demo_1epochs", "2d"),
        ("nnUNetTrainerUDTransNet_demo_1epochs", "3d_fullres"),
        ("nnUNetTrainerMSAUNet_twin_demo_1epochs", "2d"),
        ("nnUNetTrainerU2Net_demo_1epochs", "3d_fullres"),
    ],
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
