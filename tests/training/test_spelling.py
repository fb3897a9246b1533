"""Names of trainers are looked at without importing one, and none is refused that nnU-Net would find."""

import pkgutil
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nnunetv2.training import nnUNetTrainer as folder
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_skipx.discovery import EXT_VARIABLE, ext_path
from nnunet_skipx.nnunet.trainer_name import BASELINE
from nnunet_skipx.system.classes import classes_in
from nnunet_skipx.training.declared import declared
from nnunet_skipx.training.grammar import trainer_names
from nnunet_skipx.training.spelling import folders_of_others, nnunet_trainers, require_trainers
from nnunet_skipx.training.variants import trainer_class


def test_all_trainers_of_nnunet_are_known() -> None:
    found = set()
    for module in pkgutil.walk_packages(folder.__path__, f"{folder.__name__}."):
        if not module.ispkg and "primus" not in module.name:  # whose networks need a library of their own
            members = vars(import_module(module.name)).values()
            found |= {one.__name__ for one in members if isinstance(one, type) and issubclass(one, nnUNetTrainer)}
    assert len(found) > 20
    assert found <= nnunet_trainers()
    require_trainers(found)


@given(st.sampled_from([BASELINE, *trainer_names()]), st.data())
def test_no_name_that_is_one_is_refused(trainer: str, data: st.DataObject) -> None:
    options = [option.replace("{N}", "30") for option in declared(trainer).options]
    name = "_".join([trainer, *data.draw(st.lists(st.sampled_from(options), unique=True))])
    require_trainers([name])


@given(st.sampled_from(trainer_names()), st.text("abcdefghijklmnop", min_size=3))
def test_an_option_that_is_none_is_refused_as_the_class_refuses_it(trainer: str, option: str) -> None:
    name = f"{trainer}_{option}"
    if option in declared(trainer).options:
        return
    with pytest.raises(ValueError, match="there is no option") as refused:
        require_trainers([name])
    with pytest.raises(ValueError, match="there is no option") as again:
        trainer_class(name)
    assert str(refused.value).splitlines()[0] == str(again.value).splitlines()[0]


@pytest.mark.parametrize(
    ("name", "likeliest"),
    [
        ("nnUNetTrainerUTAnet_bf16", "(did you mean nnUNetTrainerUTANet?)"),
        ("nnUNetTrainerBM", "(did you mean nnUNetTrainerBN?)"),
        ("nnUNetTrainer_bf61", "(did you mean nnUNetTrainer_bf16?)"),
        ("nnUNetTrainerUTANet_250epoch", "(did you mean _250epochs?)"),
        ("nnUNetTrainer_300epoch", "(did you mean _300epochs?)"),
        ("nnUNetTrainerUDTransNet_without-cfx", "(did you mean _without-cfa?)"),
    ],
)
def test_the_likeliest_is_named(name: str, likeliest: str) -> None:
    with pytest.raises(ValueError) as refused:
        require_trainers([name])
    assert likeliest in str(refused.value)


def test_one_epoch_is_spelled_as_nnunet_does() -> None:
    assert (
        trainer_class("nnUNetTrainerUTANet_1epoch").epochs == trainer_class("nnUNetTrainerUTANet_1epochs").epochs == 1
    )
    with pytest.raises(ValueError, match="did you mean _2epochs"):
        trainer_class("nnUNetTrainerUTANet_2epoch")


def test_where_users_have_trainers_nnunets_search_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert folders_of_others() == []
    with pytest.raises(ValueError, match="finds no trainer 'myTrainer'"):
        require_trainers(["myTrainer"])
    monkeypatch.setenv(EXT_VARIABLE, f"{tmp_path}:{ext_path()}")
    assert folders_of_others() == [str(tmp_path)]
    require_trainers(["myTrainer"])
    with pytest.raises(ValueError, match="there is no option '_twn'"):
        require_trainers(["nnUNetTrainerUTANet_twn"])


def test_classes_are_found_by_their_line(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "one.py").write_text(
        "class A(\n    B,\n): ...\n\nclass C(A): ...\nclass D: ...\n    class E: ...\n"
    )
    found = classes_in(tmp_path)
    assert list(found) == ["A", "C", "D"] and "A" in found["C"].bases
