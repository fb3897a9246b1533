"""figures: one white picture per trainer, class or gate."""

import base64
import dataclasses
import re
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from nnunet_skipx.inspection.records import Inspection
from nnunet_skipx.report.figures import cost as cost_module
from nnunet_skipx.report.figures.cost import cost_panels
from nnunet_skipx.report.figures.dice import dice_panels
from nnunet_skipx.report.figures.inspection import inspection_panels
from nnunet_skipx.report.figures.pairs import difference_panels, slope_panels
from nnunet_skipx.report.figures.panel import COLOURS, Panel, data_uri, kind_for, new_figure
from nnunet_skipx.report.figures.ranks import places_panel, significance_panel
from nnunet_skipx.report.figures.training import balance_panels, curve_panels, usage_panels
from nnunet_skipx.results.collect import collect
from nnunet_skipx.results.row_cost import RowCost
from nnunet_skipx.results.training_log import TrainingLog, read_training_log
from nnunet_skipx.statistics.contrasts import Contrast, contrasts, summary_rows
from nnunet_skipx.statistics.means import case_values
from nnunet_skipx.statistics.ranking import rank_models
from tests.made_up_study import FOLDS, TRAINERS, Study


@pytest.fixture
def table(study: Study) -> pd.DataFrame:
    return collect(list(study.model_folders.values()), FOLDS)


@pytest.fixture
def logs(study: Study) -> dict[str, dict[int, TrainingLog]]:
    return {
        trainer: {fold: read_training_log(folder / f"fold_{fold}") for fold in FOLDS}
        for trainer, folder in study.model_folders.items()
    }


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


@pytest.fixture
def case_means(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({trainer: case_values(table, trainer) for trainer in TRAINERS})


def test_slopes_and_differences_are_drawn_for_every_contrast(table: pd.DataFrame, case_means: pd.DataFrame) -> None:
    found: list[Contrast] = contrasts(table, TRAINERS[0])
    for draw in (slope_panels, difference_panels):
        (panel,) = draw(case_means, found)
        assert panel.title == f"{TRAINERS[1]} minus {TRAINERS[0]}"
        content = decode(panel)
        (worse,) = draw(case_means.assign(**{TRAINERS[1]: case_means[TRAINERS[1]] / 2}), found)
        assert decode(worse) != content


def test_places_and_significance_are_drawn_for_any_number_of_rows(case_means: pd.DataFrame) -> None:
    many = pd.concat([case_means.add_suffix(f"_{number}") for number in range(10)], axis=1)
    for values in (case_means, many):
        assert decode(places_panel(rank_models(values).places))
        signs = np.sign(values.mean().to_numpy()[:, None] - values.mean().to_numpy())
        assert decode(significance_panel(pd.DataFrame(signs, values.columns, values.columns)))


def test_dice_is_drawn_over_each_cost_that_two_rows_have(table: pd.DataFrame) -> None:
    rows = summary_rows(table)
    costs = {TRAINERS[0]: RowCost(gflops=1.0, seconds_per_epoch=2.0), TRAINERS[1]: RowCost(gflops=3.0)}
    panels = cost_panels(rows, costs)
    assert [panel.title for panel in panels] == ["Dice against GFLOPs"]
    assert decode(panels[0])
    assert cost_panels(rows, {}) == []


def test_costs_begin_at_zero_and_no_mark_or_interval_is_cut_off(
    table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(cost_module, "data_uri", lambda figure: drawn.append(figure) or "")
    rows = [dataclasses.replace(row, name=f"{row.name} {number}") for row in summary_rows(table) for number in range(9)]
    cost_panels(rows, {row.name: RowCost(gflops=10.0**number) for number, row in enumerate(rows)})
    (axis,) = drawn[0].axes
    (left, right), (bottom, top) = axis.get_xlim(), axis.get_ylim()
    assert left == 0 and right > 1.05 * 10 ** (len(rows) - 1)
    assert all(bottom < end < top for row in rows for end in (row.mean.low, row.mean.high))


def test_an_inspection_shows_losses_and_what_else_the_network_has() -> None:
    losses = pd.DataFrame(
        [(0, case, skip, kind, 0.1 * skip) for case in "ab" for skip in (0, 1) for kind in ("zeroed", "other")],
        columns=["fold", "case", "skip", "kind", "lost"],
    )
    routing = pd.DataFrame(
        [(0, case, gate, expert, 0.5) for case in "ab" for gate in (0, 1) for expert in (0, 1)],
        columns=["fold", "case", "gate", "expert", "weight"],
    )
    attention = pd.DataFrame(
        [(stage, attended, 0.5) for stage in (0, 1) for attended in (0, 1)], columns=["stage", "attended", "share"]
    )
    intact = pd.DataFrame(columns=["fold", "case", "dice"])
    gates = pd.DataFrame([(0, "gate", 0.1)], columns=["fold", "gate", "spread"])
    pairs = pd.DataFrame([(0, 0, 3)], columns=["fold", "gate", "pairs"])
    plain = Inspection(intact, losses, routing[:0], attention[:0], gates[:0], pairs[:0])
    whole = Inspection(intact, losses, routing, attention, gates, pairs)
    panels = inspection_panels({"Stock": plain, "New": whole})
    assert [panel.title for panel in panels] == ["Stock", "New", "New: routing per case", "New: attention"]
    assert all(decode(panel) for panel in panels)


def test_losses_are_drawn_with_their_intervals_where_there_are_cases_enough() -> None:
    none = pd.DataFrame()

    def drawn(*rows: tuple) -> bytes:
        losses = pd.DataFrame(rows, columns=["fold", "case", "skip", "kind", "lost"])
        (panel,) = inspection_panels({"Row": Inspection(none, losses, none, none, none, none)})
        return decode(panel)

    alike, apart = (
        drawn(*((0, case, 0, "zeroed", 0.2 + sign * scatter) for case, sign in zip("abcdef", (1, -1) * 3, strict=True)))
        for scatter in (0.01, 0.1)
    )
    single = drawn((0, "a", 0, "zeroed", 0.2))
    assert len({alike, apart, single}) == 3
    for words in (b"set to zero", b"replaced by another case's"):
        assert words in single


def test_many_points_are_drawn_as_pixels() -> None:
    assert (kind_for(100), kind_for(10_000)) == ("svg", "png")


def test_the_balance_loss_is_drawn_where_there_is_one(logs: dict[str, dict[int, TrainingLog]]) -> None:
    assert [panel.title for panel in balance_panels(logs)] == [f"{TRAINERS[1]}: balance loss"]


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
