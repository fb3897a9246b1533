"""The grammar of trainer names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.training.nnUNetTrainer.variants.training_length.nnUNetTrainer_Xepochs import nnUNetTrainer_5epochs
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

from nnunet_skipx.training.grammar import kind, trainer_names
from nnunet_skipx.training.variants import options_of, trainer_class


@given(st.sampled_from(trainer_names()), st.data())
def test_options_combine_in_any_order_under_the_name_the_user_typed(trainer: str, data: st.DataObject) -> None:
    existing = [option.replace("{N}", "30") for option in options_of(trainer_class(trainer))]
    chosen = data.draw(st.lists(st.sampled_from(existing), min_size=1, unique=True))
    name = "_".join([trainer, *chosen])
    try:
        cls = trainer_class(name)
    except ValueError as refusal:  # what excludes each other is named; what it is, tests/training/test_twins.py says
        assert len(chosen) > 1 or chosen == ["elastic"]
        assert name in str(refusal)
        return
    assert cls.__name__ == name
    assert issubclass(cls, trainer_class(trainer))
    assert "__" not in name


def test_every_file_of_the_trainers_folder_holds_the_class_of_its_name() -> None:
    assert "nnUNetTrainerUTANet" in trainer_names()
    for name in trainer_names():
        assert trainer_class(name).__name__ == name


def test_nnunets_own_epochs_variants_stay_nnunets() -> None:
    assert recursive_find_trainer_class_by_name("nnUNetTrainer_5epochs") is nnUNetTrainer_5epochs


def test_the_baseline_takes_the_options_that_need_no_mechanism() -> None:
    for name in ("nnUNetTrainer_30epochs", "nnUNetTrainer_bf16", "nnUNetTrainer_demo", "nnUNetTrainer_30epochs_bf16"):
        assert issubclass(recursive_find_trainer_class_by_name(name), nnUNetTrainer)
    for name in ("nnUNetTrainer_twin", "nnUNetTrainer_stage2_bf16"):
        with pytest.raises(ValueError, match="no skip mechanism"):
            trainer_class(name)


@pytest.mark.parametrize("name", ["nnUNetTrainer", "nnUNetTrainerX", "nnUNetTrainerUTANetPlus", "nnUNetTrainer_mine"])
def test_names_of_others_are_left_to_others(name: str) -> None:
    with pytest.raises(AttributeError):
        trainer_class(name)


@pytest.mark.parametrize("name", ["nnUNetTrainerUTANet_0epochs", "nnUNetTrainerUTANet_epochs", "nnUNetTrainerUTANet_"])
def test_malformed_options_are_refused_with_the_list(name: str) -> None:
    with pytest.raises(ValueError, match=r"(?s)there is no option.*_bf16"):
        trainer_class(name)


def test_an_option_may_stand_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        trainer_class("nnUNetTrainerUTANet_5epochs_7epochs")


def test_a_domain_is_extracted_from_a_run_or_adapted_to_one() -> None:
    cls = trainer_class("nnUNetTrainerU2Net_demo_from500")
    assert cls.number == 500
    with pytest.raises(ValueError, match=r"of _from\{N\}, _adapt\{N\} a name has one at most"):
        trainer_class("nnUNetTrainerU2Net_from500_adapt501")
    with pytest.raises(ValueError, match=r"there is no option '_from500'"):
        trainer_class("nnUNetTrainerXUNet_from500")


def test_several_data_sets_have_no_twin() -> None:
    with pytest.raises(ValueError, match="nnUNetTrainerU2NetUniversal has no twin, so it takes no '_twin'"):
        trainer_class("nnUNetTrainerU2NetUniversal_twin")


def test_wrong_capitals_are_answered_with_the_right_ones() -> None:
    with pytest.raises(ValueError, match="did you mean 'nnUNetTrainerUTANet'"):
        trainer_class("nnUNetTrainerUTAnet_bf16")


@given(st.integers(1, 999_999))
def test_any_number_of_epochs_is_an_option(n: int) -> None:
    assert kind(f"{n}epochs") == "{N}epochs"


def test_a_million_epochs_is_none() -> None:
    assert kind("1000000epochs") == "1000000epochs"
