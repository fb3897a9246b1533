"""What `skipx inspect` wrote, read back as tables."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nnunet_skipx.inspection.records import FILE_NAME, read_inspection


def content(shift: float = 0.0) -> dict[str, Any]:
    return {
        "checkpoint": "checkpoint_final.pth",
        "skips": 2,
        "cases": {
            "a": {"intact": 0.875, "zeroed": [0.5 - shift, 0.75], "other": [0.75, 1.0]},
            "b": {"intact": 0.5, "zeroed": [None, 0.5], "other": [0.25, 0.5]},
            "c": {"intact": None, "zeroed": [0.0, None], "other": [None, None]},
        },
        "routing": {"a": [[0.25, 0.75, 0.0]], "b": [[0.0, 0.5, 0.5]], "c": [[1.0, 0.0, 0.0]]},
        "attention": {"layer 0": [[1.0, 0.0], [0.25, 0.75]], "layer 1": [[0.5, 0.5], [0.75, 0.25 + shift]]},
        "gates": {"skips.gates.chosen": {"spread": 0.25 + shift}, "other": {"spread": None}},
        "pairs": [3, 1],
    }


def alone() -> dict[str, Any]:
    """What is written for a fold of a single case."""
    return {**content(), "cases": {"z": {"intact": 0.5, "zeroed": [0.25, 0.25], "other": None}}}


def write(folder: Path, fold: int, found: Any) -> None:
    (folder / f"fold_{fold}").mkdir()
    (folder / f"fold_{fold}" / FILE_NAME).write_text(found if isinstance(found, str) else json.dumps(found))


def test_a_model_that_was_not_inspected_has_nothing(tmp_path: Path) -> None:
    assert read_inspection(tmp_path, [0, 1]) is None
    write(tmp_path, 0, content())
    assert read_inspection(tmp_path, [1]) is None


def test_losses_are_the_intact_dice_minus_the_cut_one(tmp_path: Path) -> None:
    write(tmp_path, 0, content())
    losses = read_inspection(tmp_path, [0, 1]).losses
    assert list(losses.columns) == ["fold", "case", "skip", "kind", "lost"]
    lost = losses.set_index(["fold", "case", "skip", "kind"])["lost"]
    assert lost[0, "a", 0, "zeroed"] == 0.375
    assert lost[0, "a", 1, "other"] == -0.125
    assert lost.isna().sum() == 5
    assert lost.groupby(["skip", "kind"]).mean().to_dict() == {
        (0, "other"): 0.1875,
        (0, "zeroed"): 0.375,
        (1, "other"): -0.0625,
        (1, "zeroed"): 0.0625,
    }


def test_a_loss_has_the_interval_of_its_cases(tmp_path: Path) -> None:
    write(tmp_path, 0, content())
    loss = read_inspection(tmp_path, [0]).loss("other", 0)
    assert (loss.value, loss.n, loss.dropped) == (0.1875, 2, 1)
    assert np.isnan([loss.low, loss.high]).all(), "two cases have no interval"
    only = read_inspection(tmp_path, [0]).loss("zeroed", 0)
    assert (only.value, only.n) == (0.375, 1)
    assert math.isnan(only.low)


def test_a_fold_of_a_single_case_has_no_rows_of_another(tmp_path: Path) -> None:
    write(tmp_path, 0, content())
    write(tmp_path, 1, alone())
    losses = read_inspection(tmp_path, [0, 1]).losses
    assert losses[losses["fold"] == 1]["kind"].to_list() == ["zeroed", "zeroed"]
    write(tmp_path, 2, alone())
    missing = read_inspection(tmp_path, [1, 2]).loss("other", 0)
    assert missing.n == 0
    assert math.isnan(missing.value)


def test_intact_dice_and_routing_are_kept_per_case_of_every_fold(tmp_path: Path) -> None:
    for fold in (0, 3):
        write(tmp_path, fold, content())
    found = read_inspection(tmp_path, range(5))
    assert found.intact.groupby("fold")["dice"].mean().to_dict() == {0: 0.6875, 3: 0.6875}
    assert list(found.routing.columns) == ["fold", "case", "gate", "expert", "weight"]
    assert len(found.routing) == 2 * 3 * 3
    assert (found.routing.groupby(["fold", "case", "gate"])["weight"].sum() == 1).all()


def test_attention_is_the_mean_over_layers_and_folds(tmp_path: Path) -> None:
    write(tmp_path, 0, content())
    write(tmp_path, 1, content(0.5))
    expected = pd.DataFrame({"stage": [0, 0, 1, 1], "attended": [0, 1, 0, 1], "share": [0.75, 0.25, 0.5, 0.625]})
    pd.testing.assert_frame_equal(read_inspection(tmp_path, [0, 1]).attention, expected)


def test_gates_and_pairs_are_kept_per_fold(tmp_path: Path) -> None:
    write(tmp_path, 0, content())
    write(tmp_path, 1, content(0.5))
    found = read_inspection(tmp_path, [0, 1])
    names = ["skips.gates.chosen", "other"]
    expected = pd.DataFrame({"fold": [0, 0, 1, 1], "gate": names * 2, "spread": [0.25, np.nan, 0.75, np.nan]})
    pd.testing.assert_frame_equal(found.gates, expected)
    expected = pd.DataFrame({"fold": [0, 0, 1, 1], "gate": [0, 1, 0, 1], "pairs": [3, 1, 3, 1]})
    pd.testing.assert_frame_equal(found.pairs, expected)


def test_networks_without_gates_and_attention_have_empty_tables(tmp_path: Path) -> None:
    write(tmp_path, 0, {**content(), "routing": {}, "attention": {}, "gates": {}, "pairs": []})
    found = read_inspection(tmp_path, [0])
    assert found.routing.empty
    assert found.attention.empty
    assert found.gates.empty
    assert found.pairs.empty
    assert list(found.attention.columns) == ["stage", "attended", "share"]


@pytest.mark.parametrize("wrong", ["", "[]", "{}", '{"cases": {"a": 1}, "routing": {}, "attention": {}}'])
def test_another_file_is_refused_with_its_path(wrong: str, tmp_path: Path) -> None:
    write(tmp_path, 2, wrong)
    with pytest.raises(ValueError, match=rf"fold_2/{FILE_NAME}.*: inspect this fold again"):
        read_inspection(tmp_path, [2])


def test_a_file_of_the_kind_before_is_refused_too(tmp_path: Path) -> None:
    """It had the mean over cases in place of another case's skip, and no gates."""
    old = {key: value for key, value in content().items() if key not in ("gates", "pairs")}
    old["cases"] = {"a": {"intact": 0.875, "zeroed": [0.5, 0.75], "mean": [0.75, 1.0]}}
    write(tmp_path, 0, old)
    with pytest.raises(ValueError, match=r"cases.a.other is missing, expected .*: inspect this fold again"):
        read_inspection(tmp_path, [0])
