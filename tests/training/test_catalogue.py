"""The catalogue of `skipx list`."""

import json

import pytest
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch import nn

from nnunet_skipx.training import catalogue as module
from nnunet_skipx.training.catalogue import (
    all_trainers,
    catalogue,
    catalogue_text,
    count_parameters,
    description,
    single_trainers,
)
from nnunet_skipx.training.variants import OPTIONS, trainer_class, trainer_names


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
    assert catalogue()["trainers"][0]["parameters"] == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("name", trainer_names())
def test_every_trainer_says_what_it_does_in_one_line_of_its_own(name: str) -> None:
    line = description(trainer_class(name))
    assert 20 < len(line) <= 120, "the first line of the trainer's own docstring"
    assert line.endswith(".")


def test_a_line_of_a_base_class_is_not_taken_for_the_trainers_own() -> None:
    class Silent(trainer_class("nnUNetTrainerUTANet")):
        pass

    assert description(Silent) == ""


def test_own_options_are_listed_with_their_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    utanet = trainer_class("nnUNetTrainerUTANet")
    monkeypatch.setattr(utanet, "own_options", {"wide": {"embedding": 128}})
    entry = next(entry for entry in catalogue()["trainers"] if entry["name"] == "nnUNetTrainerUTANet")
    assert entry["own_options"] == {"wide": {"embedding": 128}}
    assert {"wide", "twin"} <= set(entry["options"])
    text = catalogue_text()
    assert "nnUNetTrainerUTANet_wide: embedding=128" in text
    row = next(line for line in text.splitlines() if line.startswith("nnUNetTrainerUTANet "))
    assert " _wide " in row


def test_the_text_names_every_trainer_and_general_option_and_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    text = catalogue_text()
    for name in all_trainers():
        assert f"\n{name} " in text
    for option, meaning in OPTIONS.items():
        assert f"_{option}" in text
        assert meaning in text
    assert "patch of 128x128x128" in text


def test_what_takes_one_data_set_leaves_the_universal_trainer_out() -> None:
    assert set(all_trainers()) - set(single_trainers()) == {"nnUNetTrainerU2NetUniversal"}


def test_the_content_survives_json() -> None:
    content = catalogue()
    assert json.loads(json.dumps(content)) == content
    assert content["reference_plan"]["patch_size"] == [128, 128, 128]


def test_counting_computes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.REFERENCE, "features_per_stage", [2**16] * 6)  # a terabyte of weights
    assert count_parameters(trainer_class("nnUNetTrainerUTANet")) > 2**36
