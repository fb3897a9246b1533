"""Names of rows on the page: as short as they can be, and never two alike."""

from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.report.names import names_note, short_names, shortener

NETWORKS = st.sampled_from(["nnUNetTrainer", "nnUNetTrainerXUNet", "nnUNetTrainerUTANet", "XUNet", "atlas"])
OPTIONS = st.lists(st.sampled_from(["_twin", "_bf16", "_250epochs"]), unique=True).map("".join)
MODELS = st.sampled_from(["", " (nnUNetPlans, 2d)", " (nnUNetPlans, 3d_fullres)"])
ROWS = st.lists(st.tuples(NETWORKS, OPTIONS, MODELS).map("".join), min_size=1, unique=True)


@given(ROWS)
def test_names_stay_different_and_nothing_is_added(rows: list[str]) -> None:
    short = short_names(rows)
    assert list(short) == rows and len(set(short.values())) == len(rows)
    assert all(name and len(name) <= len(row) for row, name in short.items())
    assert bool(names_note(rows)) == any(name != row for row, name in short.items())


def test_the_prefix_and_what_all_have_is_left_out() -> None:
    rows = ["nnUNetTrainer_250epochs", "nnUNetTrainerXUNet_250epochs_twin", "atlas (no network)"]
    assert list(short_names(rows).values()) == ["nnUNetTrainer", "XUNet_twin", "atlas (no network)"]
    assert names_note(rows) == "Names are without nnUNetTrainer at their beginning and _250epochs."


def test_where_short_names_would_be_alike_they_stay_whole() -> None:
    rows = ["nnUNetTrainerXUNet", "XUNet"]
    assert list(short_names(rows).values()) == rows and names_note(rows) == ""


def test_only_whole_names_are_replaced_in_a_text() -> None:
    shorten = shortener(short_names(["nnUNetTrainer", "nnUNetTrainerXUNet", "nnUNetTrainerXUNet_twin"]))
    text = "nnUNetTrainerXUNet, nnUNetTrainerXUNet_twin; nnUNetTrainerXUNet__P__2d, nnUNetTrainerXUNetPlus"
    assert shorten(text) == "XUNet, XUNet_twin; nnUNetTrainerXUNet__P__2d, nnUNetTrainerXUNetPlus"
