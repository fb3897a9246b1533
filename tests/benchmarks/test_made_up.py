"""Studies that are made up for pictures: what is planted in them is what a report finds."""

from pathlib import Path

import pytest

from benchmarks.gallery import DOCS, EXHIBITS, picture_of
from benchmarks.made_up import FOLDS, MadeUpRow, MadeUpStudy, make_study
from benchmarks.tables import block_of
from nnunet_skipx.results.collect import collect

STUDY = MadeUpStudy(
    (MadeUpRow("nnUNetTrainer", 0.5, 0.0, 10.0), MadeUpRow("nnUNetTrainerUTANet", 3.0, 0.0, 10.0, invents=1)),
    cases=6,
    replicates=1,
    epochs=2,
    lacking=1 / 3,
)


def test_rows_are_as_far_off_as_was_said_and_empty_classes_are_invented(tmp_path: Path) -> None:
    table = collect(make_study(tmp_path, STUDY), range(FOLDS))
    dice = table.pivot_table(index="row", columns="label", values="value", dropna=False)
    assert (dice.loc["nnUNetTrainer"] > 0.8).all() and (dice.loc["nnUNetTrainerUTANet"] < 0.7).all()
    lacking = table[(table["label"] == "Posterior") & table["case"].isin(["case_02", "case_05"])]
    assert [STUDY.lacks(number) for number in range(6)] == [False, False, True] * 2
    assert lacking[lacking["row"] == "nnUNetTrainer"]["value"].isna().all()
    assert (lacking[lacking["row"] == "nnUNetTrainerUTANet"]["value"] == 0).all()


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda exhibit: exhibit.name)
def test_the_gallery_shows_every_exhibit(exhibit: object) -> None:
    page = block_of(DOCS / "gallery.md", "gallery")
    assert f"images/{picture_of(exhibit).name})" in page and exhibit.text in page
    assert 10_000 < picture_of(exhibit).stat().st_size < 100_000
    for study in exhibit.studies:
        assert f"{study.cases} cases; " in page or f"{study.cases} cases, " in page
        assert all(row.trainer in page for row in study.rows)
