"""The catalogue of `skipx list`."""

import json

import pytest
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn

from nnunet_skipx.nnunet.trainer_name import BASELINE, WITHOUT
from nnunet_skipx.training import reference
from nnunet_skipx.training.catalogue import all_trainers, catalogue, catalogue_text
from nnunet_skipx.training.declared import declared, single_trainers
from nnunet_skipx.training.grammar import OPTIONS, trainer_names
from nnunet_skipx.training.variants import options_of, trainer_class


def test_the_baseline_comes_first_and_no_trainer_is_left_out() -> None:
    names = [entry["name"] for entry in catalogue()["trainers"]]
    assert names == all_trainers() == ["nnUNetTrainer", *trainer_names()]


def test_the_baseline_has_the_parameters_of_nnunets_default_network() -> None:
    network = PlainConvUNet(
        1,
        6,
        (32, 64, 128, 256, 320, 320),
        nn.Conv3d,
        3,
        (1, 2, 2, 2, 2, 2),
        2,
        3,
        2,
        conv_bias=True,
        norm_op=nn.InstanceNorm3d,
        norm_op_kwargs={"affine": True},
        deep_supervision=True,
    )
    assert catalogue(parameters=True)["trainers"][0]["parameters"] == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("name", trainer_names())
def test_every_trainer_says_what_it_does_in_one_line_of_its_own(name: str) -> None:
    line = declared(name).description
    assert 20 < len(line) <= 120, "the first line of the trainer's own docstring"
    assert line.endswith(".")


@pytest.mark.parametrize("name", all_trainers())
def test_what_is_read_from_a_trainers_file_is_what_its_class_has(name: str) -> None:
    found, trainer = declared(name), trainer_class(name) if name != BASELINE else nnUNetTrainer
    assert found.options == options_of(trainer)
    assert list(found.options) == list(options_of(trainer))
    assert found.own_options == getattr(trainer, "own_options", {})
    assert list(found.numbered) == list(getattr(trainer, "own_mixins", {}))
    removals = {key: ingredient.removal for key, ingredient in getattr(trainer, "ingredients", {}).items()}
    assert found.ingredients == removals


def test_own_options_and_twins_are_listed_with_what_they_mean() -> None:
    text = catalogue_text(catalogue())
    assert "nnUNetTrainerUDTransNet_dras: recalibration='spatial'" in text
    assert f"nnUNetTrainerUTANet_{WITHOUT}mixing: every skip takes one expert of its own, without gates" in text
    row = next(line for line in text.splitlines() if line.startswith("nnUNetTrainerUDTransNet "))
    assert " _dras, _published " in row and "parameters" not in text.splitlines()[0]


def test_the_text_names_every_trainer_and_general_option_and_the_plan() -> None:
    text = catalogue_text(catalogue(parameters=True))
    for name in all_trainers():
        assert f"\n{name} " in text
    for option, meaning in OPTIONS.items():
        assert f"_{option}" in text
        assert meaning in text
    assert "patch of 128x128x128" in text


def test_what_takes_one_data_set_leaves_the_universal_trainer_out() -> None:
    assert set(all_trainers()) - set(single_trainers()) == {"nnUNetTrainerU2NetUniversal"}


def test_the_content_survives_json() -> None:
    content = catalogue(parameters=True)
    assert json.loads(json.dumps(content)) == content
    assert content["reference_plan"]["patch_size"] == [128, 128, 128]


def test_counting_computes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(reference.REFERENCE, "features_per_stage", [2**16] * 6)  # a terabyte of weights
    assert reference.count_parameters("nnUNetTrainerUTANet") > 2**36
