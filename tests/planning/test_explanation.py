"""Why a plan leaves memory unused, in words."""

import io
from contextlib import redirect_stdout
from math import prod
from pathlib import Path

import pytest
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner

from benchmarks.vram_table import FOLDERS, MadeUp
from nnunet_skipx.cli.main import main
from nnunet_skipx.planning.explanation import GIGABYTE, why_small
from nnunet_skipx.planning.training_memory import TrainingMemory
from nnunet_skipx.system.files import write_json

IMAGE = [40, 56, 40]


def told(tmp_path: Path, patch: tuple[int, ...], batch: int, cases: int, peak: float) -> list[str]:
    path = tmp_path / "plans.json"
    fullres = {"data_identifier": "p_3d_fullres", "median_image_size_in_voxels": IMAGE}
    configurations = {"3d_fullres": fullres, "3d_cascade_fullres": {"inherits_from": "3d_fullres"}}
    write_json(path, {"dataset_name": "Dataset004_A", "plans_name": "p", "configurations": configurations})
    memory = TrainingMemory({"maps": int(peak * GIGABYTE)}, patch, batch)
    return why_small(path, cases, {"3d_fullres": memory}, 10)


@pytest.mark.parametrize(
    ("patch", "batch", "words"),
    [
        ((40, 56, 40), 9, ["the patch holds the whole median image (40x56x40)"]),
        ((40, 56, 40), 10, ["whole median image", "5% of the data set's voxels"]),
        ((32, 32, 32), 27, ["5% of the data set's voxels"]),
        ((32, 32, 32), 2, ["the next larger patch would not fit"]),
    ],
)
def test_a_small_plan_says_what_bounds_it(tmp_path: Path, patch: tuple[int, ...], batch: int, words: list) -> None:
    assert round(0.05 * prod(IMAGE) * 200 / prod((32, 32, 32))) == 27, "nnU-Net's rule"
    (sentence,) = told(tmp_path, patch, batch, cases=200, peak=3)
    assert sentence.startswith("3d_fullres leaves memory unused, because ")
    for word in words:
        assert word in sentence
    assert sentence.count(" and ") == len(words) - 1


def test_a_plan_that_fills_the_gpu_needs_no_words(tmp_path: Path) -> None:
    assert told(tmp_path, (40, 56, 40), 10, cases=200, peak=9) == []


@pytest.mark.slow
def test_small_images_are_why_nnunets_planner_leaves_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    MadeUp((32, 40, 32), (1.0, 1.0, 1.0), 20, 2).write(tmp_path)
    for name in FOLDERS:
        monkeypatch.setenv(name, str(tmp_path / name))
    with redirect_stdout(io.StringIO()):
        ExperimentPlanner(998).plan_experiment()
    assert main(["plan", "-d", "998", "-a", "PlainConvUNet", "--vram", "8"]) == 0
    printed = capsys.readouterr().out
    assert "3d_fullres leaves memory unused, because the patch holds the whole median image (32x40x32) and " in printed
    assert printed.endswith("    nnUNetv2_train 998 3d_fullres 0 -p nnUNetPlainConvUNetPlans_8G\n")
