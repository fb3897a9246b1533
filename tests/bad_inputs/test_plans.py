"""Plans and descriptions in which a value is of another kind, absurd, or does not go with the others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bad_inputs.ending import assert_refused, ending
from tests.contract import SMALL_2D
from tests.universal.conftest import Make, make_domain

__all__ = ["make_domain"]  # fixture
Change = Callable[[dict[str, Any]], object]
NOTHING = object()
COMMANDS = [
    "plan -d 11 -a UTANet --explain",
    "bench -d 11 -c test -tr nnUNetTrainer --dry-run -device cpu",
    "universal create -d 12 11 --id 500 -c test",
]


def put(content: dict[str, Any], **values: object) -> None:
    for key, value in values.items():
        content[key] = value
        if value is NOTHING:
            del content[key]


def configuration(**values: object) -> Change:
    return lambda plans: put(plans["configurations"]["test"], **values)


def network(**values: object) -> Change:
    return lambda plans: put(plans["configurations"]["test"]["architecture"], **values)


def arguments(**values: object) -> Change:
    return lambda plans: put(plans["configurations"]["test"]["architecture"]["arch_kwargs"], **values)


def named(name: str) -> Change:
    """A network's class, and a convolution, by this dotted name below a package that is allowed."""
    return network(network_class_name=f"nnunet_skipx.architectures.{name}")


def operation(name: str) -> Change:
    return arguments(conv_op=f"torch.nn.{name}")


PLANS: dict[str, Change] = {
    "no patch": configuration(patch_size=NOTHING),
    "no batch": configuration(batch_size=NOTHING),
    "no spacing": configuration(spacing=NOTHING),
    "no network": configuration(architecture=NOTHING),
    "no folder of cases": configuration(data_identifier=NOTHING),
    "nothing": lambda plans: put(plans["configurations"], test={}),
    "another number of axes": configuration(patch_size=[8, 32, 24]),
    "another number of spacings": configuration(spacing=[1, 1, 1]),
    "a patch of no memory": configuration(patch_size=[100_000, 100_000]),
    "a batch of no memory": configuration(batch_size=10**6),
    "a batch of 400 digits": configuration(batch_size=10**400),
    "stages as text": arguments(n_stages="3"),
    "a billion stages": arguments(n_stages=10**9),
    "fewer than no stages": arguments(n_stages=-1),
    "a stage more": arguments(n_stages=4),
    "a billion features": arguments(features_per_stage=[10**9] * 3),
    "NaN features": arguments(features_per_stage=[float("nan")] * 3),
    "negative features": arguments(features_per_stage=[-1, 8, 16]),
    "no features": arguments(features_per_stage=[]),
    "features that are null": arguments(features_per_stage=None),
    "features that are an object": arguments(features_per_stage={}),
    "strides of 0": arguments(strides=[[0, 0]] * 3),
    "strides as text": arguments(strides="abc"),
    "strides of one stage": arguments(strides=[[1, 1]]),
    "strides of one axis": arguments(strides=[[1], [2], [2]]),
    "even kernels": arguments(kernel_sizes=[[2, 2]] * 3),
    "huge kernels": arguments(kernel_sizes=[[10_001, 10_001]] * 3),
    "convolutions of a decoder that is deeper": arguments(n_conv_per_stage_decoder=[1, 1, 1]),
    "axes that are none": lambda plans: put(plans, transpose_forward=[0, 5]),
    "an axis twice": lambda plans: put(plans, transpose_backward=[0, 0]),
    "a manager of labels that is none": lambda plans: put(plans, label_manager="os.system"),
    "convolutions in another number of axes": arguments(conv_op="torch.nn.modules.conv.Conv3d"),
    "no convolution": arguments(conv_op=NOTHING),
    "a list of convolutions": arguments(conv_op=["torch.nn.Conv2d"]),
    "arguments that are imported and are none": network(_kw_requires_import=["nonlin_kwargs"]),
    "arguments that are not there": network(_kw_requires_import=["nothing"]),
    "a function through a module": named("unet.torch.hub.load"),
    "a class through a module": named("unet.nn.Linear"),
    "a module": named("unet"),
    "what torch does not have": named("unet.torch.classes.a.b"),
    "a name of 100 kB": named("a." * 50_000 + "b"),
    "an operation through a module": operation("modules.conv.torch.hub.load"),
    "an operation that torch does not have": operation("modules.conv.torch.classes.a.b"),
    "a method": operation("Conv2d.__init__"),
    "letters of full width": operation("Ｃonv2d"),
    "a line break": operation("Conv2d\n"),
}
UNBUILDABLE: dict[str, Change] = {  # where the network is built
    "an unknown argument": arguments(more=1),
    "a convolution that is null": arguments(conv_op=None),
    "a convolution that is none": operation("ReLU"),
    "any module for a convolution": operation("Module"),
    "a norm's arguments as a list": arguments(norm_op_kwargs=[]),
    "a norm that is none": arguments(norm_op="torch.nn.Linear"),
    "operations that are not imported": network(_kw_requires_import=[]),
}
DESCRIPTIONS: dict[str, Change] = {
    "no channels": lambda content: content.pop("channel_names"),
    "regions without an order": lambda content: put(content, labels={"background": 0, "a": [1, 2], "b": [2]}),
    "an order of one region": lambda content: put(
        content, labels={"background": 0, "a": [1, 2], "b": [2]}, regions_class_order=[1]
    ),
    "an order of a region more": lambda content: put(
        content, labels={"background": 0, "a": [1, 2], "b": [2]}, regions_class_order=[1, 2, 3]
    ),
    "a gap": lambda content: put(content, labels={"background": 0, "a": 1, "b": 7}),
    "a large number": lambda content: put(content, labels={"background": 0, "a": 65_535}),
}


def each_is_refused(folder: Path, name: str, table: dict[str, Change], commands: list[str]) -> None:
    path = folder / name
    good = path.read_text()
    for what, change in table.items():
        content = json.loads(good)
        change(content)
        path.write_text(json.dumps(content))
        for command in commands:
            end = ending(*command.split())
            assert end.status == 2, (what, end)
            assert_refused(end)
            sentence = end.err[end.err.rindex(f"skipx {command.split()[0]}: ") :]
            assert len(sentence) < 900
            assert str(path) in sentence or "'nnUNetPlans'" in sentence, (what, sentence)


@pytest.mark.parametrize("command", COMMANDS)
def test_plans(command: str, make_domain: Make) -> None:
    folder = make_domain(11, SMALL_2D)
    make_domain(12, SMALL_2D)
    each_is_refused(folder, "nnUNetPlans.json", PLANS, [command])


def test_networks_that_cannot_be_built(make_domain: Make) -> None:
    each_is_refused(make_domain(11, SMALL_2D), "nnUNetPlans.json", UNBUILDABLE, COMMANDS[:2])


def test_descriptions(make_domain: Make) -> None:
    folder = make_domain(11, SMALL_2D)
    make_domain(12, SMALL_2D)
    each_is_refused(folder, "dataset.json", DESCRIPTIONS, COMMANDS)
