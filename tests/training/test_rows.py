"""Words that stand for many trainers."""

import pytest

from nnunet_skipx.training.declared import single_trainers
from nnunet_skipx.training.rows import beside_baseline, with_ablation, with_architectures
from nnunet_skipx.training.variants import trainer_class


def test_all_are_the_trainers_of_one_data_set_with_options_where_they_take_them() -> None:
    assert beside_baseline(["all"]) == single_trainers()
    twins = beside_baseline(["all_5epochs", "all_flopstwin_5epochs"])
    assert twins[0] == "nnUNetTrainer_5epochs" and "nnUNetTrainerXUNet_flopstwin_5epochs" in twins
    assert not {"nnUNetTrainerUTANet_flopstwin_5epochs", "nnUNetTrainer_flopstwin_5epochs"} & set(twins)
    assert beside_baseline(["all_attn"]) == ["nnUNetTrainer", "nnUNetTrainerXUNet_attn"]
    for name in twins[1:]:
        assert trainer_class(name).__name__ == name


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["UTAnet"], r"there is no network 'UTAnet' \(did you mean UTANet\?\): give all, or some of AttentionUNet, "),
        (["nnUNetTrainerXUNet"], r"no network 'nnUNetTrainerXUNet' \(did you mean XUNet\?\)"),
        (["U2NetUniversal"], "there is no network 'U2NetUniversal'"),
        (["all_twn"], "'all_twn': no network takes these options"),
        (["all_attn_dras"], "no network takes these options"),
    ],
)
def test_what_is_none_is_refused_with_what_there_is(words: list[str], answer: str) -> None:
    with pytest.raises(ValueError, match=answer):
        beside_baseline(words)


def test_a_trainer_of_ones_own_stands_beside_all() -> None:
    rows = with_architectures(["MyTrainer", "nnUNetTrainer"], ["UTANet", "XUNet"])
    assert rows == ("nnUNetTrainer", "MyTrainer", "nnUNetTrainerUTANet", "nnUNetTrainerXUNet")
    with pytest.raises(ValueError, match="nnUNetTrainerXUNet is named as a trainer and among the architectures"):
        with_architectures(["nnUNetTrainerXUNet"], ["all"])


def test_an_ablation_cuts_each_skip_of_each_stock_trainer_and_leaves_others_alone() -> None:
    rows = with_ablation(["nnUNetTrainer_demo", "nnUNetTrainerUTANet_demo"], 3, "each")
    cut, alone = ("011", "101", "110"), ("100", "010", "001")
    masked = [f"nnUNetTrainer_skips{mask}_demo" for mask in (*cut, *alone)]
    assert list(rows) == ["nnUNetTrainer_demo", *masked, "nnUNetTrainerNoSkip_demo", "nnUNetTrainerUTANet_demo"]
    for name in rows[1:]:
        assert trainer_class(name).__name__ == name


@pytest.mark.parametrize(
    ("trainers", "answer"),
    [
        (["nnUNetTrainerUTANet"], "nnUNetTrainerUTANet has no skips to cut: name nnUNetTrainer beside it"),
        (["nnUNetTrainer_skips01"], "nnUNetTrainer_skips01 has no skips to cut"),
        (["nnUNetTrainer", "nnUNetTrainerNoSkip"], "nnUNetTrainerNoSkip is named as a trainer, and the ablation"),
    ],
)
def test_an_ablation_of_nothing_or_twice_is_refused(trainers: list[str], answer: str) -> None:
    with pytest.raises(ValueError, match=answer):
        with_ablation(trainers, 2, "cut")
