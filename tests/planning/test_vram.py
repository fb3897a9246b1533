"""`skipx plan --vram`: plans that fit a GPU, and what a user can get wrong."""

import json
from math import prod
from pathlib import Path

import nnunetv2
import pytest
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.find_class_by_name import recursive_find_python_class
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx import architectures
from nnunet_skipx.cli.main import main
from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.planning.vram import GIGABYTE, _plan, explain_plans, plan_for_vram

CONFIGURATIONS = {"2d", "3d_lowres", "3d_fullres", "3d_cascade_fullres"}


def content(path: Path) -> dict:
    return json.loads(path.read_text())


@pytest.mark.slow
def test_the_stock_network_at_8_gb_has_nnunets_own_plan(planned: Path) -> None:
    path, memory = plan_for_vram("998", "PlainConvUNet", 8, "nnUNetPlans")
    assert memory.keys() == CONFIGURATIONS
    assert content(path) == content(planned / "nnUNetPlans.json") | {"plans_name": "nnUNetPlainConvUNetPlans_8G"}


@pytest.mark.slow
def test_a_plan_of_ours_fits_and_is_understood_by_nnunet(planned: Path) -> None:
    path, memory = plan_for_vram("Dataset998_MadeUp", "UDTransNet", 6, "nnUNetPlans")
    assert path == planned / "nnUNetUDTransNetPlans_6G.json"
    assert memory.keys() == CONFIGURATIONS
    assert all(one.peak <= 6 * GIGABYTE for one in memory.values())
    manager = PlansManager(str(path))
    assert manager.experiment_planner_name == "ExperimentPlanner"
    folder = str(Path(nnunetv2.__path__[0], "experiment_planning"))
    assert recursive_find_python_class(folder, manager.experiment_planner_name, "nnunetv2.experiment_planning")
    for name in CONFIGURATIONS:
        configuration = manager.get_configuration(name)
        assert tuple(configuration.patch_size) == memory[name].patch_size
        for trainer in (nnUNetTrainer, find_trainer("nnUNetTrainerUDTransNet")):
            network = trainer.build_network_architecture(manager, configuration, 1, 3, True)
            assert type(network) is architectures.UDTransNet


@pytest.mark.slow
def test_data_is_shared_where_it_is_the_same(planned: Path, capsys: pytest.CaptureFixture) -> None:
    (planned / "nnUNetPlans_3d_fullres").mkdir()
    (planned / "nnUNetPlans_3d_fullres" / "case_000.pkl").touch()
    assert main(["plan", "-d", "998", "-a", "XUNet", "--vram", "6"]) == 0
    printed = capsys.readouterr().out
    written = content(planned / "nnUNetXUNetPlans_6G.json")["configurations"]
    assert [written[name]["data_identifier"] for name in ("2d", "3d_fullres")] == [
        "nnUNetPlans_2d",
        "nnUNetPlans_3d_fullres",
    ]
    assert written["3d_lowres"]["data_identifier"] == "nnUNetXUNetPlans_6G_3d_lowres"
    command = "nnUNetv2_preprocess -d 998 -plans_name nnUNetXUNetPlans_6G -c"
    assert f"{command} 2d" in printed and f"{command} 3d_lowres" in printed
    assert f"{command} 3d_fullres" not in printed, "it is there"
    assert "weights" not in printed, "nobody asked to --explain"


@pytest.mark.parametrize("architecture", ["UTANet", "UDTransNet", "U2Net"])
@pytest.mark.slow
def test_more_memory_never_gives_less(planned: Path, architecture: str) -> None:
    source = content(planned / "nnUNetPlans.json")
    sizes = []
    for gigabytes in (4, 8, 16):
        made = _plan("Dataset998_MadeUp", architecture, gigabytes, {"2d": 1.0, "3d": 1.0}, source)["configurations"]
        sizes.append([prod(made[c]["patch_size"]) * made[c]["batch_size"] for c in ("2d", "3d_fullres")])
    for voxels in zip(*sizes, strict=True):  # of one configuration, by size
        assert voxels == tuple(sorted(voxels))


@pytest.mark.slow
def test_existing_plans_are_explained_and_nothing_is_written(planned: Path, capsys: pytest.CaptureFixture) -> None:
    before = sorted(planned.iterdir())
    assert main(["plan", "-d", "998", "-a", "MSAUNet", "--explain"]) == 0
    printed = capsys.readouterr().out
    for part in ("weights", "optimiser state", "encoder stage 0", "skips (the mechanism)", "decoder stage 0", "sum"):
        assert f"\n{part}" in printed
    assert sorted(planned.iterdir()) == before


def test_explaining_refuses_unknown_networks(planned: Path) -> None:
    with pytest.raises(ValueError, match=r"'UTNet' \(did you mean UTANet\?\); there are: PlainConvUNet, .*UTANet"):
        explain_plans("998", "UTNet", "nnUNetPlans")


@pytest.mark.parametrize("size", ["0", "-8", "nan", "inf"])
def test_only_a_positive_size_is_planned_for(planned: Path, size: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["plan", "-d", "998", "-a", "UTANet", f"--vram={size}"])
    assert "--vram" in capsys.readouterr().err


def test_a_gpu_that_holds_nothing_is_refused(planned: Path) -> None:
    with pytest.raises(ValueError, match=r"1 GB are no more than .* CUDA itself: give a larger --vram"):
        plan_for_vram("998", "PlainConvUNet", 1, "nnUNetPlans")


@pytest.mark.slow
def test_a_gpu_too_small_for_the_network_is_refused(planned: Path) -> None:
    with pytest.raises(ValueError, match=r"no plan of PlainConvUNet .* fits 1.1 GB: .* give a larger --vram"):
        plan_for_vram("998", "PlainConvUNet", 1.1, "nnUNetPlans")
    assert not list(planned.glob("*_1.1G.json"))


@pytest.mark.parametrize(
    ("file", "cure"),
    [
        ("nnUNet_preprocessed/Dataset998_MadeUp/dataset_fingerprint.json", "nnUNetv2_extract_fingerprint -d 998"),
        ("nnUNet_raw/Dataset998_MadeUp/dataset.json", "put the raw data there"),
    ],
)
def test_what_the_planner_needs_is_named(planned: Path, file: str, cure: str) -> None:
    (planned.parents[1] / file).unlink()
    with pytest.raises(FileNotFoundError, match=cure):
        plan_for_vram("998", "UTANet", 8, "nnUNetPlans")


def test_plans_of_another_planner_are_refused(planned: Path) -> None:
    changed = content(planned / "nnUNetPlans.json") | {"experiment_planner_used": "nnUNetPlannerResEncM"}
    (planned / "nnUNetResEncUNetMPlans.json").write_text(json.dumps(changed))
    with pytest.raises(ValueError, match=r"made by nnUNetPlannerResEncM.*-p nnUNetPlans"):
        plan_for_vram("998", "UTANet", 8, "nnUNetResEncUNetMPlans")
