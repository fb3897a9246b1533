"""`skipx inspect` on models that nnU-Net's own commands have trained."""

import json
from pathlib import Path

import pytest

from nnunet_skipx.inspection.records import Inspection, read_inspection
from nnunet_skipx.results.collect import collect_fold
from tests.end_to_end.conftest import DATASET, PLANS, Command

pytestmark = pytest.mark.slow
# The demo's schedule trains without mirroring, so that nnU-Net validates without it as well.
MODELS = {"nnUNetTrainerUTANet_demo_2epochs": "3d_fullres", "nnUNetTrainer_demo_2epochs": "2d"}


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest, workplace: Path, planned: Path, command: Command) -> Path:
    """A trained and inspected model folder."""
    trainer, configuration = request.param, MODELS[request.param]
    command("nnUNetv2_train", 99, configuration, 0, "-tr", trainer, "-p", PLANS, "-device", "cpu")
    folder = workplace / "nnUNet_results" / DATASET / f"{trainer}__{PLANS}__{configuration}"
    result = command("skipx", "inspect", folder, "-device", "cpu")
    assert result.stdout.startswith(f"{folder.name}: mean Dice 0.")
    assert "fold 0 cut: 100%" in result.stderr
    return folder


@pytest.fixture(scope="module")
def inspection(model: Path) -> Inspection:
    found = read_inspection(model, [0])
    assert found is not None
    return found


def test_the_intact_dice_is_that_of_nnunets_validation(model: Path, inspection: Inspection) -> None:
    validated = collect_fold(model, 0).groupby("case")["value"].mean()
    intact = inspection.intact.set_index("case")["dice"]
    assert validated.max() > 0.05, "a network that finds nothing would test nothing"
    assert intact.to_dict() == pytest.approx(validated.to_dict(), abs=1e-6)  # the phantom's spacing is not changed


def test_every_skip_of_every_case_was_cut(model: Path, inspection: Inspection) -> None:
    splits = json.loads((model.parents[2] / "nnUNet_preprocessed" / DATASET / "splits_final.json").read_text())
    architecture = json.loads((model / "plans.json").read_text())["configurations"][model.name.split("__")[2]]
    skips = architecture["architecture"]["arch_kwargs"]["n_stages"] - 1
    assert len(inspection.losses) == len(splits[0]["val"]) * skips * 2
    lost = inspection.losses["lost"]
    assert lost.abs().max() > 0
    assert (lost <= inspection.intact["dice"].max()).all()


def test_routing_is_there_where_there_are_gates(model: Path, inspection: Inspection) -> None:
    has_gates = "UTANet" in model.name
    assert inspection.routing.empty != has_gates
    sums = inspection.routing.groupby(["fold", "case", "gate"])["weight"].sum()
    assert sums.to_list() == pytest.approx([1.0] * len(sums))


def test_gates_are_there_where_the_network_marks_them(model: Path, inspection: Inspection) -> None:
    has_gates = "UTANet" in model.name
    assert inspection.gates.empty != has_gates
    assert inspection.pairs["gate"].nunique() == inspection.routing["gate"].nunique()
    assert (inspection.gates["spread"] > 0).all()


def test_an_untrained_fold_is_refused_in_one_sentence(model: Path, command: Command) -> None:
    result = command("skipx", "inspect", model, "-f", 3, "-device", "cpu", check=False)
    assert result.returncode == 2
    assert "no checkpoint_final.pth of fold_3" in result.stderr
    assert "Traceback" not in result.stderr
