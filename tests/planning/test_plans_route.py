"""`skipx plan`: plans files that name one of our networks."""

import json
from pathlib import Path

import pytest
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx import architectures
from nnunet_skipx.nnunet.planned import plans_file, read_planned
from nnunet_skipx.planning.plans_route import write_plans
from tests.contract import SMALL
from tests.plan_shapes import dataset_json, plans


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "Dataset998_Test"
    folder.mkdir()
    (folder / "nnUNetPlans.json").write_text(json.dumps(plans(SMALL)))
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        monkeypatch.setenv(name, str(tmp_path))
    return folder


@pytest.mark.parametrize("name", architectures.NETWORKS)
def test_the_stock_trainer_builds_our_network_from_them(planned: Path, name: str) -> None:
    path = write_plans("998" if name == "UTANet" else "Dataset998_Test", name)
    assert path == planned / f"nnUNet{name}Plans.json"
    manager = PlansManager(json.loads(path.read_text()))
    assert manager.plans_name == f"nnUNet{name}Plans"
    configuration = manager.get_configuration("test")
    assert configuration.data_identifier == "nnUNetPlans_test", "preprocessed data is shared"
    network = nnUNetTrainer.build_network_architecture(manager, configuration, 1, 3, True)
    assert type(network) is getattr(architectures, name)
    assert not getattr(network, "keep_routing", False), "there is no balance loss to take the routing"


def test_a_configuration_may_inherit_its_patch_size(planned: Path) -> None:
    content = plans(SMALL)
    test = content["configurations"]["test"]
    content["configurations"]["other"] = {"inherits_from": "test", "architecture": test["architecture"]}
    (planned / "nnUNetPlans.json").write_text(json.dumps(content))
    written = json.loads(write_plans("998", "UDTransNet").read_text())
    arguments = written["configurations"]["other"]["architecture"]["arch_kwargs"]
    assert arguments["patch_size"] == list(SMALL.patch)


@pytest.mark.parametrize("key", ["patch_size", "architecture"])
def test_what_no_configuration_says_is_named(planned: Path, key: str) -> None:
    content = plans(SMALL)
    del content["configurations"]["test"][key]
    content["configurations"]["other"] = {"inherits_from": "test"}
    (planned / "nnUNetPlans.json").write_text(json.dumps(content))
    lacks = (
        "configurations.test.patch_size is missing" if key == "patch_size" else "configuration 'test' has no UNet_class"
    )
    with pytest.raises(ValueError, match=rf"nnUNetPlans.json: {lacks}.* plan again"):
        write_plans("998", "UDTransNet")


def test_an_unknown_network_is_answered_with_the_list(planned: Path) -> None:
    with pytest.raises(ValueError, match=r"'UTNet' \(did you mean UTANet\?\); there are: .*UTANet"):
        write_plans("998", "UTNet")


@pytest.mark.parametrize(
    ("dataset", "name", "cure"), [("997", "nnUNetPlans", "997"), ("998", "myPlans", "nnUNetv2_plan")]
)
def test_missing_data_sets_and_plans_are_named_with_the_cure(planned: Path, dataset: str, name: str, cure: str) -> None:
    with pytest.raises(FileNotFoundError, match=cure):
        write_plans(dataset, "UTANet", name)


def test_plans_that_are_there_are_named_when_others_are_asked_for(planned: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"myPlans.json .*plans there: nnUNetPlans\)"):
        plans_file("998", "myPlans")


def test_what_is_no_name_of_a_data_set_is_refused_as_such(planned: Path) -> None:
    with pytest.raises(ValueError, match=r"'hippocampus'.*Dataset004_Name"):
        plans_file("hippocampus", "nnUNetPlans")


def test_the_plans_are_read_with_the_labels_beside_them(planned: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"dataset\.json does not exist"):
        read_planned("998", "nnUNetPlans")
    (planned / "dataset.json").write_text(json.dumps(dataset_json()))
    assert read_planned("998", "nnUNetPlans") == (plans(SMALL), dataset_json())


def test_an_unset_folder_is_named(planned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("nnUNet_preprocessed")
    with pytest.raises(FileNotFoundError, match="export nnUNet_preprocessed"):
        write_plans("998", "UTANet")
