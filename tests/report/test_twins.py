"""Which rows are twins of which others is read from their names."""

from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.report.twins import trainer_in, twins_among

OPTIONS = st.lists(st.sampled_from(["bf16", "250epochs", "attn", "demo"]), unique=True)
KINDS = [["twin"], ["flopstwin"], ["without-attention"], ["without-head"], ["without-head", "without-attention"]]


@given(OPTIONS, st.randoms())
def test_all_twins_are_found_whatever_the_order_of_the_options(options: list[str], random: object) -> None:
    def name(*more: str) -> str:
        shuffled = [*options, *more]
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        return "_".join(["nnUNetTrainerX", *shuffled])

    row, beside = name(), [name(*kind) for kind in KINDS]
    strangers = [part for twin in beside for part in (f"{twin}_5epochs", twin.replace("X", "Y"), f"{twin} (P, 2d)")]
    assert twins_among([row, *beside, *strangers]) == [(row, twin) for twin in beside]


def test_every_row_has_its_own_twins() -> None:
    rows = ["A", "A_bf16", "A (P, 2d)", "B_bf16"]
    names = [*rows, "A_twin_bf16", "B_bf16_without-head", "A_without-head", "A_without-head (P, 2d)", "B_twin"]
    assert twins_among(names) == [
        ("A", "A_without-head"),
        ("A_bf16", "A_twin_bf16"),
        ("A (P, 2d)", "A_without-head (P, 2d)"),
        ("B_bf16", "B_bf16_without-head"),
    ]


def test_a_twin_has_no_twin_and_a_mixture_of_kinds_is_none() -> None:
    assert twins_among(["A_twin", "A_twin_twin", "A_without-head", "A_without-head_without-attention"]) == []
    mixtures = ["A_twin_without-head", "A_flopstwin_twin", "A_flopstwin_without-head", "A_withouthead"]
    assert twins_among(["A", *mixtures]) == []


def test_a_name_tells_the_ingredients_that_it_leaves_out() -> None:
    assert trainer_in("A_without-head_bf16_without-attention (Without_P, 2d)").left_out == ("head", "attention")
    assert trainer_in("A_twin_flopstwin_bf16 (without-head_P, 2d)").left_out == ()
