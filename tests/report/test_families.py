"""What the rows have in common: who counts as a network, and that every format tells it."""

from collections.abc import Sequence

import numpy as np
import pytest

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.families import families_compared
from nnunet_skipx.report.further import further_json, further_tables
from nnunet_skipx.report.sections.families import families_section
from nnunet_skipx.training.declared import declared
from nnunet_skipx.training.families import FAMILIES
from nnunet_skipx.training.grammar import trainer_names
from tests.statistics.test_scores import table_of

GATED = ("AttentionUNet", "MSAUNet", "UDTransNet", "UTANet")
OTHERS = ("", "U2Net", "XUNet", "FuseUNet")


def compared(rows: Sequence[str], **removed: Sequence[str]) -> dict[tuple[str, str], tuple[str, ...]]:
    """(family, kind) -> networks with it; the rows' means differ."""
    values = {f"nnUNetTrainer{row}": 0.8 + 0.01 * place for place, row in enumerate(rows)}
    lost = {name: removed.get(name.removeprefix("nnUNetTrainer"), ()) for name in values}
    return {(one.family, one.kind): one.having for one in families_compared(values, lost.__getitem__, 0.003)}


def test_each_network_counts_once_whatever_options_its_rows_have() -> None:
    found = compared([*GATED, "UTANet_bf16", "UTANet_demo", *OTHERS, "_250epochs"])
    assert sorted(found["attention", "between"]) == [f"nnUNetTrainer{name}" for name in GATED]


def test_twins_and_other_networks_of_a_trainer_do_not_count_between_networks() -> None:
    rows = [*GATED, *OTHERS, "UTANet_twin", "XUNet_attn", "U2Net_from500", "OfSomebody"]
    assert compared(rows, UTANet_twin=("adaptivity", "balance"))["attention", "between"] == tuple(
        f"nnUNetTrainer{name}" for name in GATED
    )


def test_within_networks_count_twins_that_lack_one_family_alone() -> None:
    twins = {
        "UTANet_twin": ("adaptivity", "balance"),
        "AttentionUNet_twin": ("gates", "signal"),
        "AttentionUNet_without-signal": ("signal",),  # its gates are there
        "MSAUNet_without-attention": ("attention",),
        "MSAUNet_twin": ("reinjection", "attention", "head"),  # two families
        "XUNet_twin": ("crossover",),
        "XUNet_flopstwin": ("crossover",),
    }
    found = compared([*GATED, "XUNet", *twins], **twins)
    gated = ("AttentionUNet", "MSAUNet", "UTANet")
    assert sorted(found["attention", "within"]) == [f"nnUNetTrainer{name}" for name in gated]
    assert found["fusion", "within"] == ("nnUNetTrainerXUNet",)


def test_two_rows_have_nothing_to_tell() -> None:
    assert compared(["", "UTANet"]) == {}


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    rng = np.random.default_rng(0)
    cases = rng.normal(0.8, 0.05, 20)
    rows = {
        f"nnUNetTrainer{name}": cases + 0.05 * (name in GATED) + rng.normal(0, 0.01, 20) for name in (*OTHERS, *GATED)
    }
    return Comparison("Dataset004_Hippocampus", table_of(rows), "nnUNetTrainer", {"labels": {"background": 0}})


def test_every_format_tells_what_rows_have_in_common(comparison: Comparison) -> None:
    (line,) = [one for one in further_json(comparison)["families"] if one["family"] == "attention"]
    assert line["verdict"] == "better"
    assert line["value"] == pytest.approx(0.05, abs=0.01)
    section = families_section(comparison)
    assert section.is_shown
    shown = section.table.set_index("Ingredient").loc["attention"]  # type: ignore[union-attr]
    assert shown["Verdict"] == "better"
    assert shown["With"] == ", ".join(GATED)
    assert shown["Without"] == "nnU-Net, FuseUNet, U2Net, XUNet"
    assert any(section.heading in caption for caption in further_tables([comparison]))


def test_trainers_name_families_that_there_are() -> None:
    for name in trainer_names():
        told = declared(name)
        assert {*told.always, *(family for found in told.families.values() for family in found)} <= FAMILIES.keys()
