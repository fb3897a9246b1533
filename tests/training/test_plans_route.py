"""`skipx plan`: plans files that name one of our networks."""
import json
from pathlib import Path

import pytest
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx.architectures import UTANet
from nnunet_skipx.training.plans_route import write_plans
from tests.contract import SMALL
from tests.plan_shapes import plans


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "Dataset998_Test"
    folder.mkdir()
    (folder / "nnUNetPlans.json").write_text(json.dumps(plans(SMALL)))
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        monkeypatch.setenv(name, str(tmp_path))
    return folder


@pytest.mark.parametrize("dataset", ["998", "Dataset998_Test"])
def test_the_stock_trainer_builds_our_network_from_them(planned: Path, dataset: str) -> None:
    path = write_plans(dataset, "UTANet")
    assert path == planned / "nnUNetUTANetPlans.json"
    manager = PlansManager(json.loads(path.read_text()))
    assert manager.plans_name == "nnUNetUTANetPlans"
    configuration = manager.get_configuration("test")
    assert configuration.data_identifier == "nnUNetPlans_test", "preprocessed data is shared"
    network = nnUNetTrainer.build_network_architecture(manager, configuration, 1, 3, True)
    assert isinstance(network, UTANet)
    assert not network.keep_routing


def test_an_unknown_network_is_answered_with_the_list(planned: Path) -> None:
    with pytest.raises(ValueError, match=r"'UTNet'; there are: UTANet"):
        write_plans("998", "UTNet")


@pytest.mark.parametrize(
    ("dataset", "name", "cure"), [("997", "nnUNetPlans", "997"), ("998", "myPlans", "nnUNetv2_plan")]
)
def test_missing_data_sets_and_plans_are_named_with_the_cure(planned: Path, dataset: str, name: str, cure: str) -> None:
    with pytest.raises(FileNotFoundError, match=cure):
        write_plans(dataset, "UTANet", name)


def test_an_unset_folder_is_named(planned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("nnUNet_preprocessed")
    with pytest.raises(FileNotFoundError, match="export nnUNet_preprocessed"):
        write_plans("998", "UTANet")
