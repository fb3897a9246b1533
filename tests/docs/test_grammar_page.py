"""The page on legal names says what the grammar does: refused is what it lists, and nothing else."""

import importlib.util
import re
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.nnunet.trainer_name import BASELINE
from nnunet_skipx.training.declared import declared
from nnunet_skipx.training.grammar import trainer_names
from tests.docs.pages import ROOT


def of_docs(name: str) -> ModuleType:
    """A module of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGE = of_docs("grammar_page")
TRAINERS = [BASELINE, *trainer_names()]
REFUSED = {trainer: PAGE.refusals(trainer, declared(trainer).options) for trainer in TRAINERS}


@given(st.data())
def test_what_holds_no_refused_group_is_a_name(data: st.DataObject) -> None:
    trainer = data.draw(st.sampled_from(TRAINERS))
    options = data.draw(st.lists(st.sampled_from(list(declared(trainer).options)), unique=True, min_size=1))
    known = declared(trainer).options
    groups = [set(group) for group in REFUSED[trainer] if len(group) > 1]
    lacking = [option for option in options if not {*PAGE.companion(trainer, option, known)} <= {*options}]
    wanted = bool(lacking) or any(group <= set(options) for group in groups)
    assert bool(PAGE.refusal(trainer, options)) == wanted, (trainer, options)


def test_options_and_reasons_stand_with_their_trainer() -> None:
    text = PAGE.grammar_page()
    assert re.findall("^## (.*)", text, re.M) == TRAINERS
    sections = dict(zip(TRAINERS, text.split("\n## ")[1:], strict=True))
    assert "| `_attn` | the network with attention=True |" in sections["nnUNetTrainerXUNet"]
    assert "| `_attn_twin` | '_attn' changes nothing beside '_twin'" in sections["nnUNetTrainerXUNet"]
    assert "| `_flopstwin` | nnUNetTrainerUTANet has a twin with as many parameters" in sections["nnUNetTrainerUTANet"]
    assert "| `_elastic` | '_elastic' deforms on the GPU" in sections[BASELINE]
    assert "`_twin`" not in sections[BASELINE].partition("General options: ")[2].partition("\n")[0]


@pytest.mark.parametrize("trainer", TRAINERS)
def test_every_option_is_part_of_some_name(trainer: str) -> None:
    for option in declared(trainer).options:
        assert not PAGE.refusal(trainer, [option, *PAGE.companion(trainer, option, declared(trainer).options)])
