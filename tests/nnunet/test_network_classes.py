"""Plans name classes; what is neither nnU-Net's nor ours is named in one sentence and never imported."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nnunet_skipx import architectures
from nnunet_skipx.cli.main import main
from nnunet_skipx.inspection.command import inspect_model
from nnunet_skipx.nnunet.network_classes import UnknownNetworkError, require_known_networks
from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.profiling.cost import inference_network
from nnunet_skipx.results.row_cost import counted
from tests.contract import SMALL
from tests.plan_shapes import dataset_json, plans

STRANGE_NETWORKS = [
    "torch.hub.load",
    "stranger.Network",
    "stranger",
    "os.system",
    "PlainConvUNet",
    "torch.nn.Sequential",
    "dynamic_network_architectures",
    "dynamic_network_architectures.architectures.unet",
    "dynamic_network_architectures.architectures.unet.PlainConvUNet.__init__",
    "dynamic_network_architectures.architectures.unet.nn.Sequential",
    "dynamic_network_architectures.architectures.unet.torch.hub.load",
    "dynamic_network_architectures_of_mine.Network",
    "dynamic_network_architectures/../stranger.Network",
    "nnunet_skipx.architectures.injection.torch.hub.load",
    "nnunet_skipx.cli.main.main",
    " dynamic_network_architectures.architectures.unet.PlainConvUNet",
    "",
    None,
    3,
    ["torch.hub.load"],
]
STRANGE_PARTS = [
    "torch.hub.load",
    "stranger.Conv3d",
    "torch.nn.functional.relu",
    "torch.nn.modules.module.warnings.sys.exit",
    "torch.nn.parallel.distributed.os.system",
    "torch.nn.Parameter",
    "torch.nn",
    "subprocess.Popen",
    7,
]


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that can be imported, and leaves a file behind when it is."""
    trace = tmp_path / "imported"
    lines = (f"open({str(trace)!r}, 'w')", "from torch.nn import Conv3d, Module as Network", "PlainConvUNet = Network")
    (tmp_path / "stranger.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    yield trace
    sys.modules.pop("stranger", None)


def changed(**entries: Any) -> dict[str, Any]:
    content = plans(SMALL)
    architecture = content["configurations"]["test"]["architecture"]
    for key, value in entries.items():
        (architecture if key in architecture else architecture["arch_kwargs"])[key] = value
    return content


def test_networks_and_parts_of_nnunet_and_of_ours_are_known() -> None:
    for name in architectures.NETWORKS:
        require_known_networks(changed(network_class_name=f"nnunet_skipx.architectures.{name}"))
    require_known_networks(changed(nonlin="torch.nn.LeakyReLU", norm_op=None))
    require_known_networks(changed(network_class_name="dynamic_network_architectures.architectures.unet.PlainConvUNet"))


def test_a_configuration_without_an_architecture_of_its_own_is_no_concern() -> None:
    require_known_networks({"configurations": {"3d_cascade_fullres": {"inherits_from": "3d_fullres"}}})


@pytest.mark.parametrize("name", STRANGE_NETWORKS, ids=str)
def test_a_strange_network_is_named_and_not_imported(name: object, stranger: Path) -> None:
    with pytest.raises(UnknownNetworkError) as caught:
        require_known_networks(changed(network_class_name=name))
    assert str(caught.value).startswith("unknown network: ") and repr(name) in str(caught.value)
    assert "configuration 'test'" in str(caught.value)
    assert not stranger.exists()


@pytest.mark.parametrize("key", ["conv_op", "norm_op", "nonlin"])
@pytest.mark.parametrize("name", STRANGE_PARTS, ids=str)
def test_a_strange_part_is_named_and_not_imported(key: str, name: object, stranger: Path) -> None:
    with pytest.raises(UnknownNetworkError, match=f"arch_kwargs.{key} names "):
        require_known_networks(changed(**{key: name}))
    assert not stranger.exists()


def test_an_argument_to_import_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownNetworkError, match="'attention'"):
        require_known_networks(changed(_kw_requires_import=["conv_op", "attention"]))


@pytest.mark.parametrize("trainer", ["nnUNetTrainer", "nnUNetTrainerUTANet"])
def test_our_trainers_and_stock_ones_build_no_strange_network(trainer: str, stranger: Path) -> None:
    for strange in (changed(network_class_name="stranger.Network"), changed(conv_op="stranger.Conv3d")):
        with pytest.raises(UnknownNetworkError):
            inference_network(find_trainer(trainer), strange, "test", dataset_json())
    assert not stranger.exists()


def test_nnunets_prediction_with_our_trainer_imports_no_strange_part(stranger: Path) -> None:
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    manager = PlansManager(changed(conv_op="stranger.Conv3d"))
    with pytest.raises(UnknownNetworkError):
        find_trainer("nnUNetTrainerUTANet").build_network_architecture(
            manager, manager.get_configuration("test"), 1, 2, False
        )
    assert not stranger.exists()


def test_arguments_that_build_no_network_are_told_with_their_plans() -> None:
    with pytest.raises(ValueError, match=r"no network can be built .* 'test' in the plans 'nnUNetPlans'"):
        inference_network(find_trainer("nnUNetTrainer"), changed(n_stages="three"), "test", dataset_json())


def model(root: Path, content: dict[str, Any]) -> Path:
    folder = root / "Dataset998_Test" / "nnUNetTrainer__nnUNetPlans__test"
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(content))
    (folder / "dataset.json").write_text(json.dumps(dataset_json()))
    torch.save({}, folder / "fold_0" / "checkpoint_final.pth")
    return folder


def test_a_report_counts_no_strange_network_and_goes_on(tmp_path: Path, stranger: Path) -> None:
    text = counted(model(tmp_path, changed(network_class_name="stranger.Network")))
    assert isinstance(text, str) and "not counted: unknown network" in text and "'stranger.Network'" in text
    assert not stranger.exists()


def test_inspect_refuses_a_strange_network(tmp_path: Path, stranger: Path) -> None:
    with pytest.raises(UnknownNetworkError):
        inspect_model(
            model(tmp_path, changed(network_class_name="stranger.Network")), None, "cpu", "checkpoint_final.pth"
        )
    assert not stranger.exists()


@pytest.mark.parametrize(
    "command",
    [
        ["profile", "-d", "998", "-c", "test", "-tr", "nnUNetTrainer", "-device", "cpu"],
        ["plan", "-d", "998", "-a", "UTANet"],
        ["plan", "-d", "998", "-a", "UTANet", "--explain"],
    ],
    ids=" ".join,
)
def test_profile_and_plan_refuse_a_strange_network(
    command: list[str],
    tmp_path: Path,
    stranger: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "preprocessed" / "Dataset998_Test"
    folder.mkdir(parents=True)
    (folder / "nnUNetPlans.json").write_text(json.dumps(changed(network_class_name="stranger.PlainConvUNet")))
    (folder / "dataset.json").write_text(json.dumps(dataset_json()))
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        monkeypatch.setenv(name, str(tmp_path / "preprocessed"))
    assert main(command) == 2
    assert "unknown network" in capsys.readouterr().err
    assert not stranger.exists()


def test_a_class_that_is_found_under_a_known_name_is_a_network_of_that_package() -> None:
    assert nn.Conv3d.__module__.startswith("torch.nn.")
    for network in architectures.NETWORKS.values():
        assert network.__module__.startswith("nnunet_skipx.architectures.")
