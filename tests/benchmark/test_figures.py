"""figures: one white picture per trainer, class or gate."""
import base64
import re
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from nnunet_skipx.benchmark.collect import collect
from nnunet_skipx.benchmark.figures import (
    COLOURS,
    Panel,
    curve_panels,
    data_uri,
    dice_panels,
    difference_panels,
    new_figure,
    usage_panels,
)
from nnunet_skipx.benchmark.training_log import TrainingLog, read_training_log
from tests.benchmark.conftest import FOLDS, TRAINERS, Study


@pytest.fixture
def table(study: Study) -> pd.DataFrame:
    return collect(list(study.model_folders.values()), FOLDS)


@pytest.fixture
def logs(study: Study) -> dict[str, dict[int, TrainingLog]]:
    return {trainer: {fold: read_training_log(folder / f"fold_{fold}") for fold in FOLDS}
            for trainer, folder in study.model_folders.items()}


def decode(panel: Panel) -> bytes:
    match = re.fullmatch(r"data:image/(svg\+xml|png);base64,([A-Za-z0-9+/=]+)", panel.src)
    assert match
    content = base64.b64decode(match[2])
    if match[1] == "png":
        assert content.startswith(b"\x89PNG")
    else:
        assert ElementTree.fromstring(content).tag.endswith("svg")
    return content


def test_dice_has_a_panel_for_the_mean_and_for_each_class(table: pd.DataFrame) -> None:
    panels = dice_panels(table)
    assert [panel.title for panel in panels] == ["Mean over classes", "Anterior", "Posterior"]
    assert len({decode(panel) for panel in panels}) == 3
    assert all(panel.alt for panel in panels)


def test_differences_are_drawn_for_every_trainer_but_the_baseline(table: pd.DataFrame) -> None:
    panels = difference_panels(table, TRAINERS[0])
    assert [panel.title for panel in panels] == [f"{TRAINERS[1]} minus {TRAINERS[0]}"]
    assert decode(panels[0])


def test_each_trainer_has_its_curves(logs: dict[str, dict[int, TrainingLog]]) -> None:
    panels = curve_panels(logs)
    assert [panel.title for panel in panels] == list(TRAINERS)
    assert all(decode(panel) for panel in panels)


def test_only_gates_that_exist_are_drawn(logs: dict[str, dict[int, TrainingLog]]) -> None:
    assert [panel.title for panel in usage_panels(logs)] == [f"{TRAINERS[1]}: gate 1", f"{TRAINERS[1]}: gate 2"]
    assert usage_panels({TRAINERS[0]: logs[TRAINERS[0]]}) == []
    assert decode(usage_panels(logs)[0])


def test_the_same_numbers_give_the_same_picture_and_others_another(table: pd.DataFrame) -> None:
    first = [panel.src for panel in dice_panels(table)]
    assert first == [panel.src for panel in dice_panels(table)]
    changed = table.assign(value=table["value"] * 0.9)
    assert all(one != other for one, other in zip(first, [p.src for p in dice_panels(changed)], strict=True))


def test_figures_are_white_whatever_the_users_matplotlib_says(tmp_path: Path) -> None:
    with matplotlib.rc_context({"figure.facecolor": "black", "axes.facecolor": "white"}):
        figure, _ = new_figure(2.0)
        content = base64.b64decode(data_uri(figure, "png").split(",")[1])
    path = tmp_path / "figure.png"
    path.write_bytes(content)
    np.testing.assert_array_equal(imread(path)[0, 0, :3], 1)


def test_a_class_without_any_value_is_drawn_empty(table: pd.DataFrame) -> None:
    table.loc[table["label"] == "Posterior", "value"] = float("nan")
    assert decode(dice_panels(table)[2])


def test_one_epoch_is_enough_for_curves_and_usage(logs: dict[str, dict[int, TrainingLog]]) -> None:
    log = logs[TRAINERS[1]][0]
    short = {"T": {0: TrainingLog(log.epochs[:1], {gate: usage[:1] for gate, usage in log.expert_usage.items()})}}
    assert len(usage_panels(short)) == 2 and decode(curve_panels(short)[0])


def test_colours_are_those_of_okabe_and_ito_without_yellow() -> None:
    assert len(set(COLOURS)) == 7 and "#F0E442" not in COLOURS


def test_nothing_goes_through_pyplot(table: pd.DataFrame) -> None:
    from matplotlib import _pylab_helpers

    dice_panels(table)
    assert _pylab_helpers.Gcf.get_all_fig_managers() == []
