"""Networks by name, outside of nnU-Net's commands."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props
from torch import nn

import nnunet_skipx as sx
from nnunet_skipx.architectures import NETWORKS
from tests.plan_shapes import PlanShape, dataset_json, plans

OPTIONS: dict[str, dict[str, Any]] = {"UTANet": {"embedding": 8}, "UDTransNet": {"embedding": 8}}


@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
@pytest.mark.parametrize("name", NETWORKS)
def test_one_line_makes_a_network_for_images_of_any_size(name: str, residual: bool) -> None:
    network = sx.build(name, 2, 3, 4, patch_size=(32, 32), residual=residual, **OPTIONS.get(name, {})).eval()
    with torch.no_grad():
        assert network(torch.randn(1, 3, 45, 33)).shape == (1, 4, 45, 33)


def test_defaults_are_two_classes_one_channel_three_axes() -> None:
    with torch.device("meta"):
        network = sx.build("XUNet")
        assert network(torch.empty(1, 1, 64, 64, 64)).shape == (1, 2, 64, 64, 64)


@given(st.lists(st.integers(8, 200), min_size=2, max_size=3), st.floats(0.3, 5))
def test_strides_kernels_and_widths_are_those_of_nnunets_planner(patch: list[int], first_spacing: float) -> None:
    from nnunet_skipx.api.planned_like import planned_like

    spacing = [first_spacing, *[1.0] * (len(patch) - 1)]
    planned = planned_like(patch, spacing, residual=False)
    _, strides, kernels, _, _ = get_pool_and_conv_props(spacing, patch, 4, 999999)
    assert [tuple(s) for s in planned["strides"]] == [tuple(s) for s in strides]
    assert [tuple(k) for k in planned["kernel_sizes"]] == [tuple(k) for k in kernels]
    assert planned["features_per_stage"][0] == 32
    assert max(planned["features_per_stage"]) <= (512 if len(patch) == 2 else 320)
    assert all(isinstance(step, int) for stride in planned["strides"] for step in stride)


def test_it_has_norms() -> None:
    with torch.device("meta"):
        assert any(isinstance(module, nn.InstanceNorm2d) for module in sx.build("UTANet", dims=2).modules())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("UTAnet",), r"no network 'UTAnet' \(did you mean UTANet\?\): .*XUNet"),
        (("UTANet", 4), "dims must be 2 or 3, got 4"),
        (("UTANet", 2, 1, 2, (32, 32, 32)), r"patch_size \(32, 32, 32\) does not fit dims=2"),
        (("UTANet", 2, 1, 2, (32, 32), (1, -1)), r"spacing \(1, -1\) does not fit: give 2 numbers"),
    ],
)
def test_what_cannot_be_built_is_one_sentence(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sx.build(*arguments)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "U2Net"])
def test_without_the_plans_arguments_the_cure_is_named(name: str) -> None:
    with pytest.raises(TypeError, match=rf'{name} lacks .*n_stages.*norm_op.*build\("{name}"'):
        NETWORKS[name](3, 2, **({"patch_size": (32, 32)} if NETWORKS[name].plan_arguments else {}))


def test_the_balance_loss_is_that_of_the_last_training_pass_once() -> None:
    torch.manual_seed(0)
    network: Any = sx.build("UTANet", 2, patch_size=(32, 32), embedding=8).train()
    network(torch.randn(2, 1, 32, 32))
    loss = network.auxiliary_loss()
    assert loss.ndim == 0
    assert loss.item() > 0
    loss.backward()
    assert network.skips.gates.weight.grad.abs().max() > 0
    with pytest.raises(RuntimeError, match="belongs to a training pass"):
        network.auxiliary_loss()


@pytest.mark.parametrize("name", NETWORKS)
def test_one_training_loop_serves_all(name: str) -> None:
    network: Any = sx.build(name, 2, patch_size=(32, 32), deep_supervision=True, **OPTIONS.get(name, {})).train()
    logits = network(torch.randn(2, 1, 32, 32))
    (sum(y.square().mean() for y in logits) + 0.01 * network.auxiliary_loss()).backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.fixture
def planned(tmp_path: Path) -> Path:
    path = tmp_path / "nnUNetPlans.json"
    path.write_text(json.dumps(plans(PlanShape((32, 24), (1, 1), 3))))
    (tmp_path / "dataset.json").write_text(json.dumps(dataset_json(classes=5, channels=2)))
    return path


@pytest.mark.parametrize("name", ["XUNet", "nnUNetTrainerXUNet_twin", "nnUNetTrainer"])
def test_from_plans_is_what_nnunet_would_train(planned: Path, name: str) -> None:
    network = sx.from_plans(planned, "test", name).eval()
    with torch.no_grad():
        assert network(torch.randn(1, 2, 32, 24)).shape == (1, 5, 32, 24)


def test_from_plans_says_what_there_is(planned: Path) -> None:
    with pytest.raises(ValueError, match=r"no configuration '3d': test"):
        sx.from_plans(planned, "3d", "XUNet")
    planned.with_name("dataset.json").unlink()
    with pytest.raises(FileNotFoundError, match="or give in_channels and classes"):
        sx.from_plans(planned, "test", "XUNet")
    assert sx.from_plans(planned, "test", "XUNet", in_channels=1, classes=2)


def test_plans_that_name_a_strangers_network_are_refused(planned: Path) -> None:
    content = json.loads(planned.read_text())
    content["configurations"]["test"]["architecture"]["network_class_name"] = "torch.hub.load"
    planned.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="unknown network"):
        sx.from_plans(planned, "test", "nnUNetTrainer")


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, nnunet_skipx; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_wrong_name_lists_what_there_is() -> None:
    with pytest.raises(AttributeError, match="it offers build, compare, from_plans, profile"):
        sx.biuld  # noqa: B018
