"""The plans route and the trainer build the same network, whatever a configuration inherits and sets itself."""

import functools
import json
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import nn

from nnunet_skipx import architectures
from nnunet_skipx.planning.networks import trainer_of
from nnunet_skipx.planning.plans_route import write_plans
from tests.plan_shapes import PlanShape, plans

PATCHES = [[16, 24, 16], [32, 32, 32], [16, 48, 32], [48, 16, 64]]
SHAPES = [PlanShape((16, 24, 16), (1, 1, 1), 3), PlanShape((16, 32, 32), (3, 1, 1), 4, features=6)]


@st.composite
def inheriting_plans(draw: st.DrawFn) -> dict[str, Any]:
    """A configuration as nnU-Net plans it, and some that inherit from an earlier one and set a part themselves."""
    content = plans(draw(st.sampled_from(SHAPES)), residual=draw(st.booleans()))
    names = ["test"]
    for number in range(draw(st.integers(1, 2))):
        child: dict[str, Any] = {"inherits_from": draw(st.sampled_from(names))}
        if draw(st.booleans()):
            child["patch_size"] = draw(st.sampled_from(PATCHES))
        if draw(st.booleans()):
            child["batch_size"] = 3
        if draw(st.integers(0, 3)) == 0:
            other = plans(draw(st.sampled_from(SHAPES)), residual=draw(st.booleans()))
            child["architecture"] = other["configurations"]["test"]["architecture"]
        names.append(f"child{number}")
        content["configurations"][names[-1]] = child
    order = draw(st.permutations(names))
    return content | {"configurations": {name: content["configurations"][name] for name in order}}


cached_trainer_of = functools.cache(trainer_of)  # nnU-Net's search takes a second


def built(trainer: type[nnUNetTrainer], content: dict[str, Any], configuration: str) -> nn.Module:
    manager = PlansManager(json.loads(json.dumps(content)))
    with torch.device("meta"):
        return trainer.build_network_architecture(manager, manager.get_configuration(configuration), 2, 3, True)


@pytest.mark.parametrize("name", architectures.NETWORKS)
def test_a_configuration_that_inherits_its_network_and_sets_its_patch(name: str) -> None:
    content = plans(SHAPES[0])
    content["configurations"]["wide"] = {"inherits_from": "test", "patch_size": [16, 48, 32]}
    compare(name, content)


@given(name=st.sampled_from(sorted(architectures.NETWORKS)), content=inheriting_plans())
@pytest.mark.slow
def test_every_configuration_has_the_network_that_its_trainer_builds(name: str, content: dict[str, Any]) -> None:
    compare(name, content)


def compare(name: str, content: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict("os.environ", nnUNet_preprocessed=folder):
        path = Path(folder, "Dataset998_Test", "nnUNetPlans.json")
        path.parent.mkdir()
        path.write_text(json.dumps(content))
        written = json.loads(write_plans("998", name).read_text())
        assert json.loads(path.read_text()) == json.loads(json.dumps(content)), "the source stays as it is"
    for configuration in content["configurations"]:
        by_plans = built(nnUNetTrainer, written, configuration)
        by_trainer = built(cached_trainer_of(name), content, configuration)
        assert str(by_plans) == str(by_trainer), configuration
        shapes = [{key: value.shape for key, value in n.state_dict().items()} for n in (by_plans, by_trainer)]
        assert shapes[0] == shapes[1], configuration
